package main

import (
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

const benchCommand = "accord bench train --dataset mnist --data DIR --json, with --threads, --batch and ACCORD_KERNEL"

// engine measures the engine beside the processor's peak.
func (b *bench) engine() ([]page.Row, error) {
	first, err := b.trainBench(nil, "--threads", "2")
	if err != nil {
		return nil, err
	}
	var rows []page.Row
	for _, family := range families(first.Kernel) {
		for _, threads := range []int{2, 1} {
			shares, err := b.shares([]string{"ACCORD_KERNEL=" + family}, "--threads", strconv.Itoa(threads))
			if err != nil {
				return nil, err
			}
			rows = append(rows, share(fmt.Sprintf("dense training, batch 32, %s, %s: share of the FMA peak over the FLOPs needed", plural(threads, "thread"), family),
				bar{.8, .9}, shares, benchCommand))
		}
	}
	var small, evaluation, allocs []float64
	for range b.repeats {
		ten, err := b.trainBench(nil, "--threads", "1", "--batch", "10")
		if err != nil {
			return nil, err
		}
		full, err := b.trainBench(nil, "--threads", "1")
		if err != nil {
			return nil, err
		}
		both, err := b.trainBench(nil, "--threads", "2")
		if err != nil {
			return nil, err
		}
		small = append(small, ten.Sparse/full.Sparse)
		evaluation, allocs = append(evaluation, both.EvalShare), append(allocs, max(ten.Allocs, full.Allocs, both.Allocs))
	}
	portable, err := b.trainBench([]string{"ACCORD_KERNEL=portable"}, "--threads", "2")
	if err != nil {
		return nil, err
	}
	return append(rows,
		share("batch 10, 1 thread, against batch 32: samples/s", bar{want: .85}, small, benchCommand),
		share("evaluation of 10,000 images, 2 threads: share of the FMA peak", bar{want: .75}, evaluation, benchCommand),
		page.Row{What: "portable Go, 2 threads", Bar: "≥ 700 samples/s (stretch 1500)", Figure: fmt.Sprintf("%.0f samples/s", portable.Sparse), Holds: portable.Sparse >= 700, Command: benchCommand},
		page.Row{What: "allocations in a training step", Bar: "0", Figure: fmt.Sprint(median(allocs)), Holds: median(allocs) == 0, Command: benchCommand},
	), nil
}

// families are the assembly families of a machine whose fastest is known.
func families(fastest string) []string {
	switch fastest {
	case "avx512":
		return []string{"avx512", "avx2"}
	case "portable":
		return nil
	}
	return []string{fastest}
}

// shares measures a few times the share of the peak in dense training.
func (b *bench) shares(env []string, args ...string) ([]float64, error) {
	var all []float64
	for range b.repeats {
		r, err := b.trainBench(env, args...)
		if err != nil {
			return nil, err
		}
		all = append(all, r.Share)
	}
	return all, nil
}

// odd compares a network that no kernel was made for with the reference.
func (b *bench) odd() ([]page.Row, error) {
	spec := filepath.Join(b.python.scripts, "odd.yaml")
	var rows []page.Row
	for _, threads := range []int{1, 2} {
		number := strconv.Itoa(threads)
		var ratios, shares []float64
		for range b.repeats {
			ours, err := b.trainBench(nil, "--threads", number, "--model", spec, "--batch", "7")
			if err != nil {
				return nil, err
			}
			reference, err := b.trainBench(nil, "--threads", number)
			if err != nil {
				return nil, err
			}
			ratios, shares = append(ratios, ours.Share/reference.Share), append(shares, ours.Share)
		}
		row := share(fmt.Sprintf("5×5, stride 2, same padding, 17 channels, batch 7, %s: share of the peak beside the reference network's", plural(threads, "thread")),
			bar{want: .5}, ratios, "accord bench train --model scripts/bench/peers/odd.yaml --batch 7 --dataset mnist --data DIR --threads "+number+" --json")
		row.Figure += fmt.Sprintf(", %.0f %% of the peak", 100*median(shares))
		rows = append(rows, row)
	}
	return rows, nil
}

// fold measures the aggregator beside the machine's memory.
func (b *bench) fold() ([]page.Row, error) {
	var rows []page.Row
	for _, size := range []struct {
		what string
		args []string
	}{
		{"8 updates of 64 MiB", nil},
		{"50 updates of 4 MB", []string{"--updates", "50", "--parameters", "1000000"}},
	} {
		args := append([]string{"bench", "aggregate", "--threads", "2"}, size.args...)
		var shares, rates []float64
		for range b.repeats {
			var r struct {
				Rate  float64 `json:"gb_per_second"`
				Share float64 `json:"share_of_read"`
			}
			if err := b.accord.JSON(b.ctx, &r, nil, args...); err != nil {
				return nil, err
			}
			shares, rates = append(shares, r.Share), append(rates, r.Rate)
		}
		row := share("fold of "+size.what+", 2 threads: share of the read bandwidth", bar{.6, .9}, shares, "accord bench aggregate --threads 2 --json")
		row.Figure += fmt.Sprintf(", %.0f GB/s", median(rates))
		rows = append(rows, row)
	}
	return rows, nil
}
