package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/kernel"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/rng"
	"github.com/accord-fl/accord/internal/term"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
)

// benchTrainOptions are the flags of `accord bench train`.
type benchTrainOptions struct {
	data    config.Data
	model   string
	batch   int
	threads int
	seconds float64
	asJSON  bool
}

// benchTrain is what `accord bench train --json` prints. Rates are medians.
type benchTrain struct {
	Kernel  string `json:"kernel"`
	Threads int    `json:"threads"`
	Batch   int    `json:"batch"`
	// The whole training step, with all that the engine knows, and without the
	// passes that skip zeros.
	SamplesPerSecond      float64 `json:"samples_per_second"`
	DenseSamplesPerSecond float64 `json:"dense_samples_per_second"`
	// GFLOPS counts what a dense step needs, PeakGFLOPS what the threads can
	// multiply and add at best.
	FLOPsPerSample       int     `json:"flops_per_sample"`
	GFLOPS               float64 `json:"gflops"`
	PeakGFLOPS           float64 `json:"peak_gflops"`
	ShareOfPeak          float64 `json:"share_of_peak"`
	AllocationsPerStep   float64 `json:"allocations_per_step"`
	EvaluationsPerSecond float64 `json:"evaluated_samples_per_second"`
	EvaluationShare      float64 `json:"evaluation_share_of_peak"`
}

func newBenchTrainCmd() *cobra.Command {
	o := benchTrainOptions{data: config.Data{Dataset: "digits"}}
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Measure training steps and evaluation",
		Long: `Measure whole training steps (Adam) and evaluation on real images, with weights
that have been trained for an epoch.

The share of the peak is what a dense step needs, over what the processor can
multiply and add at best, in registers alone, measured in between. Some clock a
tenth lower when they read from caches, too. Training skips zeros behind pools,
so that it can be faster than a dense step.`,
		Example: "  accord bench train --batch 32 --threads 2\n" +
			"  accord bench train --model my-network.yaml --dataset mnist --data data/mnist --json",
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	dataFlags(flags, &o.data)
	flags.StringVar(&o.model, "model", "cnn", "cnn for the reference network, or a file with a network's spec")
	flags.IntVar(&o.batch, "batch", 32, "samples a step")
	flags.IntVar(&o.threads, "threads", 0, "that train, 0 for one on each core")
	flags.Float64Var(&o.seconds, "seconds", 6, "how long to measure")
	flags.BoolVar(&o.asJSON, "json", false, "print one JSON object")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

func (o benchTrainOptions) validate() error {
	switch {
	case o.batch < 1:
		return fault.Inputf("batch: want 1 or more, got %d", o.batch)
	case !(o.seconds > 0) || o.seconds > 3600:
		return fault.Inputf("seconds: want more than 0 and at most 3600, got %v", o.seconds)
	}
	if err := checkThreads(o.threads); err != nil {
		return err
	}
	return o.data.Validate()
}

func (o benchTrainOptions) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := o.validate(); err != nil {
		return err
	}
	if o.threads == 0 {
		o.threads = runtime.GOMAXPROCS(0)
	}
	loaded := patience(stderr, "loading "+o.data.Dataset)
	split, err := dataset.Load(o.data.Dataset, o.data.Dir)
	loaded()
	if err != nil {
		return err
	}
	if split.Train == nil {
		return fault.Inputf("data set %s has no training images", o.data.Dataset)
	}
	o.batch = min(o.batch, split.Train.Len()) // as training would
	t := trainOptions{}
	if o.model != "cnn" {
		t.spec = o.model
	}
	spec, err := t.network(split.Train)
	if err != nil {
		return err
	}
	b, err := newTrainBench(spec, split, o)
	if err != nil {
		return err
	}
	defer b.close()
	measured := patience(stderr, fmt.Sprintf("training for an epoch, then measuring for %v seconds", o.seconds))
	result, err := b.measure(ctx, time.Duration(o.seconds*float64(time.Second)))
	measured()
	if err != nil {
		return err
	}
	if o.asJSON {
		return quote.Encode(stdout, result)
	}
	return result.print(stdout, dataTitle(o.data))
}

// trainBench is a training that is measured.
type trainBench struct {
	o             benchTrainOptions
	network       *model.Network
	engine, dense *train.Engine
	params        *model.Params
	images, test  *dataset.View
	rounds        uint64 // of shuffling
}

func newTrainBench(spec *model.Spec, split dataset.Split, o benchTrainOptions) (*trainBench, error) {
	network, err := model.NewNetwork(spec)
	if err != nil {
		return nil, err
	}
	b := &trainBench{o: o, network: network, params: coordinator.InitialModel(spec, 1), images: split.Train.All(), test: split.Train.All()}
	if split.Test != nil {
		b.test = split.Test.All()
	}
	if b.engine, err = train.NewEngine(network, o.threads); err != nil {
		return nil, err
	}
	b.dense, err = train.New(network, train.Options{Threads: o.threads, Dense: true})
	return b, err
}

func (b *trainBench) close() {
	b.engine.Close()
	b.dense.Close()
}

// fit makes so many steps, 0 for an epoch, and returns the samples.
func (b *trainBench) fit(ctx context.Context, e *train.Engine, steps int) (int64, error) {
	b.rounds++
	plan := train.Plan{Epochs: 1, Batch: b.o.batch, Shuffle: true, Optimizer: optim.Defaults(optim.Adam)}
	if steps > 0 {
		perEpoch := int(stepsPerEpoch(b.images.Len(), b.o.batch))
		plan.Steps, plan.Epochs = steps, 1+steps/perEpoch
	}
	r, err := e.Fit(ctx, b.params, b.images, plan, rng.New(b.rounds, "bench"), nil)
	return r.Samples, err
}

// slice is how long one measurement takes about.
const slice = 150 * time.Millisecond

// measure alternates between training, dense training, evaluation and plain
// products for so long.
func (b *trainBench) measure(ctx context.Context, duration time.Duration) (benchTrain, error) {
	if _, err := b.fit(ctx, b.engine, 0); err != nil {
		return benchTrain{}, err
	}
	steps, err := b.calibrate(ctx)
	if err != nil {
		return benchTrain{}, err
	}
	var sparse, dense, evaluated, peak []float64
	activities := []struct {
		rates *[]float64
		do    func() (int64, error)
	}{
		{&sparse, func() (int64, error) { return b.fit(ctx, b.engine, steps) }},
		{&dense, func() (int64, error) { return b.fit(ctx, b.dense, max(1, steps/2)) }},
		{&evaluated, func() (int64, error) {
			_, err := b.engine.Evaluate(ctx, b.params, b.test)
			return int64(b.test.Len()), err
		}},
		{&peak, func() (int64, error) { return multiplyAdd(b.o.threads), ctx.Err() }},
	}
	for begin := time.Now(); len(peak) < 3 || time.Since(begin) < duration; {
		for _, a := range activities {
			since, done, err := time.Now(), int64(0), error(nil)
			for done == 0 || time.Since(since) < slice/3 {
				n, failed := a.do()
				if err = failed; err != nil {
					return benchTrain{}, err
				}
				done += n
			}
			*a.rates = append(*a.rates, float64(done)/time.Since(since).Seconds())
		}
	}
	forward, training := b.network.FLOPs()
	r := benchTrain{
		Kernel: kernel.Family(), Threads: b.o.threads, Batch: b.o.batch,
		SamplesPerSecond: median(sparse), DenseSamplesPerSecond: median(dense), EvaluationsPerSecond: median(evaluated),
		FLOPsPerSample: training, PeakGFLOPS: median(peak) / 1e9,
	}
	r.GFLOPS = r.DenseSamplesPerSecond * float64(training) / 1e9
	r.ShareOfPeak = r.GFLOPS / r.PeakGFLOPS
	r.EvaluationShare = r.EvaluationsPerSecond * float64(forward) / 1e9 / r.PeakGFLOPS
	r.AllocationsPerStep, err = b.allocations(ctx, steps)
	return r, err
}

// calibrate finds how many steps take about a slice.
func (b *trainBench) calibrate(ctx context.Context) (int, error) {
	for steps := 1; ; steps *= 2 {
		begin := time.Now()
		if _, err := b.fit(ctx, b.engine, steps); err != nil {
			return 0, err
		}
		if took := time.Since(begin); took > slice/4 {
			return max(1, int(float64(steps)*float64(slice)/float64(took))), nil
		}
	}
}

// allocations counts those of a step, as what twice as many steps have more: the
// least of three counts, since whatever else the process allocates is not the
// steps' doing.
func (b *trainBench) allocations(ctx context.Context, steps int) (float64, error) {
	count := func(steps int) (uint64, error) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := b.fit(ctx, b.engine, steps)
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs, err
	}
	least := math.Inf(1)
	for range 3 {
		once, err := count(steps)
		if err != nil {
			return 0, err
		}
		twice, err := count(2 * steps)
		if err != nil {
			return 0, err
		}
		least = min(least, math.Round(10*(float64(twice)-float64(once))/float64(steps))/10)
	}
	return max(0, least), nil
}

// multiplyAdd keeps so many threads busy with products and sums and returns the
// number of operations.
func multiplyAdd(threads int) int64 {
	const products = 1 << 30
	done := make([]int64, threads)
	var all sync.WaitGroup
	for i := range done {
		all.Go(func() { done[i] = int64(kernel.MultiplyAdd(products)) })
	}
	all.Wait()
	sum := int64(0)
	for _, n := range done {
		sum += n
	}
	return sum
}

func (r benchTrain) print(w io.Writer, data string) error {
	threads := fmt.Sprintf("%d threads", r.Threads)
	if r.Threads == 1 {
		threads = "1 thread"
	}
	rate := func(v float64) string { return humanize.Comma(int64(math.Round(v))) }
	t := term.Table{
		Title:   fmt.Sprintf("%s in batches of %d, %s, kernels %s", data, r.Batch, threads, r.Kernel),
		Columns: []term.Column{{Title: ""}, {Title: "samples/s", Right: true}, {Title: "GFLOP/s", Right: true}, {Title: "of the peak", Right: true}},
		Rows: []term.Row{
			{Cells: []string{"training", rate(r.SamplesPerSecond), "", ""}, Strong: true},
			{Cells: []string{"training, dense", rate(r.DenseSamplesPerSecond), strconv.FormatFloat(r.GFLOPS, 'f', 1, 64), term.Percent(r.ShareOfPeak)}},
			{Cells: []string{"evaluation", rate(r.EvaluationsPerSecond), strconv.FormatFloat(r.EvaluationShare*r.PeakGFLOPS, 'f', 1, 64), term.Percent(r.EvaluationShare)}},
			{Cells: []string{"products and sums alone", "", strconv.FormatFloat(r.PeakGFLOPS, 'f', 1, 64), term.Percent(1)}},
		},
	}
	if err := t.Print(w); err != nil {
		return err
	}
	return quote.Fprintf(w, "\n%g allocations a step\n", r.AllocationsPerStep)
}
