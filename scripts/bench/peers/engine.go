package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/accord-fl/accord/internal/kernel"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// benchTrain is the part of what `accord bench train --json` prints that is read
// here.
type benchTrain struct {
	Kernel    string  `json:"kernel"`
	Sparse    float64 `json:"samples_per_second"`
	Dense     float64 `json:"dense_samples_per_second"`
	Share     float64 `json:"share_of_peak"`
	EvalShare float64 `json:"evaluation_share_of_peak"`
	Allocs    float64 `json:"allocations_per_step"`
}

// trainArgs are the arguments of `accord bench train` on MNIST.
func (b *bench) trainArgs(args ...string) []string {
	return append([]string{"bench", "train", "--dataset", "mnist", "--data", b.mnist}, args...)
}

func (b *bench) trainBench(ctx context.Context, env, args []string) (r benchTrain, err error) {
	if err := b.accord.JSON(ctx, &r, env, args...); err != nil {
		return r, err
	}
	return r, positive("accord bench train", r.Sparse, r.Dense, r.Share, r.EvalShare)
}

// setting is one way to run our engine, and what came out of it each time.
type setting struct {
	family  string // "" for the fastest
	args    []string
	results []benchTrain
}

// turns measures settings in turns.
func (b *bench) turns(ctx context.Context, settings ...*setting) error {
	for range b.repeats {
		for _, s := range settings {
			var env []string
			if s.family != "" {
				env = []string{kernel.Environment + "=" + s.family}
			}
			r, err := b.trainBench(ctx, env, s.args)
			if err != nil {
				return err
			}
			s.results = append(s.results, r)
			if err := b.tell("%s: %.0f samples/s, dense %.0f, %.0f %% of the peak", r.Kernel, r.Sparse, r.Dense, 100*r.Share); err != nil {
				return err
			}
		}
	}
	return nil
}

// figures are those that pick finds in each result.
func (s *setting) figures(pick func(benchTrain) float64) []float64 {
	var all []float64
	for _, r := range s.results {
		all = append(all, pick(r))
	}
	return all
}

func sparse(r benchTrain) float64 { return r.Sparse }
func share(r benchTrain) float64  { return r.Share }

// over divides figures turn by turn.
func over(a, b []float64) []float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return ratios
}

// engine measures the engine beside the processor's peak.
func (b *bench) engine(ctx context.Context) ([]page.Row, error) {
	var all, dense []*setting
	var rows []page.Row
	fastest := kernel.Family()
	for _, family := range families(fastest) {
		for _, threads := range []int{2, 1} {
			s := &setting{family: family, args: b.trainArgs("--batch", "32", "--threads", strconv.Itoa(threads))}
			all, dense = append(all, s), append(dense, s)
			rows = append(rows, page.Row{
				What:   fmt.Sprintf("dense training, batch 32, %s: needed products and sums beside the peak of FMA", plural(threads, "thread")),
				Kernel: family,
			})
		}
	}
	small := &setting{family: fastest, args: b.trainArgs("--batch", "10", "--threads", "1")}
	portable := &setting{family: "portable", args: b.trainArgs("--batch", "32", "--threads", "2")}
	if err := b.turns(ctx, append(all, small, portable)...); err != nil {
		return nil, err
	}
	for i, s := range dense {
		rows[i] = figure(rows[i], bar{.8, .9, percent}, s.figures(share))
	}
	two, one := dense[0], dense[1]
	evaluation := two.figures(func(r benchTrain) float64 { return r.EvalShare })
	allocations := 0.0
	for _, s := range append(all, small, portable) {
		for _, r := range s.results {
			allocations = max(allocations, r.Allocs)
		}
	}
	rows = append(rows,
		figure(page.Row{What: "batch 10 beside batch 32, 1 thread: samples/s", Kernel: fastest}, bar{.85, 0, percent}, over(small.figures(sparse), one.figures(sparse))),
		figure(page.Row{What: "evaluation of 10,000 images, 2 threads, beside the peak of FMA", Kernel: fastest}, bar{.75, 0, percent}, evaluation),
		figure(page.Row{What: "training steps, batch 32, 2 threads, without assembly", Kernel: portable.family}, bar{700, 1500, rate}, portable.figures(sparse)),
		page.Row{What: "allocations in a step, the most of all these", Bar: "0", Figure: fmt.Sprint(allocations), Holds: allocations == 0, Kernel: "all"},
	)
	command := b.command("engine", append(append([]string{kernel.Environment + "=FAMILY", "accord"}, b.trainArgs("--batch", "32", "--threads", "2")...), "--json"))
	for i := range rows {
		rows[i].Command = command
	}
	return rows, nil
}

// figure makes a row of the median of figures.
func figure(r page.Row, b bar, figures []float64) page.Row {
	m := median(figures)
	digits := 0
	if b.unit == percent {
		digits = 1
	}
	r.Figure = show(m, b.unit, digits)
	return b.judge(r, m)
}

// families are those whose share of the peak counts on a machine with this
// fastest one: those in assembly, if there are any.
func families(fastest string) []string {
	if fastest == "avx512" {
		return []string{"avx512", "avx2"}
	}
	return []string{fastest}
}
