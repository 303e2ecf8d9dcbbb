package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/aggregation"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/kernel"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/rng"
	"github.com/accord-fl/accord/internal/term"
)

// benchAggregateOptions are the flags of `accord bench aggregate`.
type benchAggregateOptions struct {
	updates    int
	parameters int
	threads    int
	seconds    float64
	asJSON     bool
}

// benchAggregate is what `accord bench aggregate --json` prints. Rates are
// medians, in 10⁹ bytes of updates a second.
type benchAggregate struct {
	Kernel     string  `json:"kernel"`
	Threads    int     `json:"threads"`
	Updates    int     `json:"updates"`
	Parameters int     `json:"parameters"`
	GBps       float64 `json:"gb_per_second"` // the fold alone
	ReadGBps   float64 `json:"read_gb_per_second"`
	ShareRead  float64 `json:"share_of_read"`
	// The mean as a round makes it, which copies what it reads.
	MeanGBps float64 `json:"mean_gb_per_second"`
}

func newBenchAggregateCmd() *cobra.Command {
	o := benchAggregateOptions{updates: 8, parameters: 1 << 24, seconds: 4}
	cmd := &cobra.Command{
		Use:   "aggregate",
		Short: "Measure how fast updates are folded into their weighted mean",
		Long: `Measure how fast updates in memory are folded into float64 sums, beside how fast
the same memory can be read, and how fast their weighted mean is when they are
read block by block, as those of a round. It takes as much memory as the
updates, ` + humanize.IBytes(4*8<<24) + ` by default.`,
		Example: "  accord bench aggregate --threads 2\n  accord bench aggregate --updates 50 --parameters 1000000 --json",
		Args:    cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.IntVar(&o.updates, "updates", o.updates, "number of updates")
	flags.IntVar(&o.parameters, "parameters", o.parameters, "elements of an update")
	flags.IntVar(&o.threads, "threads", 0, "that fold, 0 for one on each core")
	flags.Float64Var(&o.seconds, "seconds", o.seconds, "how long to measure")
	flags.BoolVar(&o.asJSON, "json", false, "print one JSON object")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return o.run(cmd.Context(), cmd.OutOrStdout())
	}
	return cmd
}

// maxBenchElements bounds the memory of all updates to 16 GiB.
const maxBenchElements = 4 << 30

func (o benchAggregateOptions) validate() error {
	switch {
	case o.updates < 1 || o.updates > 10_000:
		return fault.Inputf("updates: want 1 to 10000, got %d", o.updates)
	case o.parameters < 1 || o.parameters > maxBenchElements/o.updates:
		return fault.Inputf("parameters: want 1 to %d with %d updates, got %d", maxBenchElements/o.updates, o.updates, o.parameters)
	case !(o.seconds > 0) || o.seconds > 3600:
		return fault.Inputf("seconds: want more than 0 and at most 3600, got %v", o.seconds)
	}
	return checkThreads(o.threads)
}

func (o benchAggregateOptions) run(ctx context.Context, stdout io.Writer) error {
	if err := o.validate(); err != nil {
		return err
	}
	if o.threads == 0 {
		o.threads = runtime.GOMAXPROCS(0)
	}
	o.threads = min(o.threads, o.parameters) // a thread folds a stretch of parameters
	result, err := o.measure(ctx)
	if err != nil {
		return err
	}
	if o.asJSON {
		return quote.Encode(stdout, result)
	}
	return result.print(stdout)
}

// memory is an update in memory.
type memory []float32

// ReadAt implements aggregation.Reader.
func (m memory) ReadAt(dst []float32, off int) error {
	copy(dst, m[off:])
	return nil
}

func (o benchAggregateOptions) measure(ctx context.Context) (benchAggregate, error) {
	r := rng.New(1, "bench")
	all := make([]float32, o.updates*o.parameters)
	var updates []aggregation.Update
	var shares []float64
	for i := range o.updates {
		values := all[i*o.parameters:][:o.parameters]
		for j := range values {
			values[j] = r.Float32() - 0.5
		}
		updates = append(updates, aggregation.Update{Participant: strconv.Itoa(i), Weight: float64(i + 1), Values: memory(values)})
		shares = append(shares, 1/float64(o.updates))
		if err := ctx.Err(); err != nil {
			return benchAggregate{}, err
		}
	}
	mean := aggregation.Mean{Threads: o.threads}
	var folds, means, reads []float64
	activities := []struct {
		rates *[]float64
		do    func() error
	}{
		{&folds, func() error {
			o.each(func(first, n int) { foldAll(all, o.parameters, first, n, shares) })
			return ctx.Err()
		}},
		{&means, func() error { return mean.Combine(ctx, o.parameters, updates, func([]float64) error { return nil }) }},
		{&reads, func() error { o.each(func(first, n int) { readAll(all, o.parameters, first, n) }); return ctx.Err() }},
	}
	for begin := time.Now(); len(reads) < 3 || time.Since(begin).Seconds() < o.seconds; {
		for _, a := range activities {
			since := time.Now()
			if err := a.do(); err != nil {
				return benchAggregate{}, err
			}
			*a.rates = append(*a.rates, 4*float64(len(all))/time.Since(since).Seconds()/1e9)
		}
	}
	result := benchAggregate{
		Kernel: kernel.Family(), Threads: o.threads, Updates: o.updates, Parameters: o.parameters,
		GBps: median(folds), ReadGBps: median(reads), MeanGBps: median(means),
	}
	result.ShareRead = result.GBps / result.ReadGBps
	return result, nil
}

// each calls do on every thread, with the thread's part of the parameters.
func (o benchAggregateOptions) each(do func(first, n int)) {
	var all sync.WaitGroup
	for t := range o.threads {
		first := t * o.parameters / o.threads
		all.Go(func() { do(first, (t+1)*o.parameters/o.threads-first) })
	}
	all.Wait()
}

// foldAll folds n elements of every update from first on, a few at a time, so that
// the sums stay in the nearest cache.
func foldAll(all []float32, parameters, first, n int, shares []float64) {
	sums := make([]float64, 1<<13)
	for ; n > 0; first, n = first+len(sums), n-len(sums) {
		sum := sums[:min(n, len(sums))]
		clear(sum)
		kernel.Fold(sum, all[first:], parameters, shares)
	}
}

// readAll reads n elements of every update from first on.
func readAll(all []float32, parameters, first, n int) {
	for ; first < len(all); first += parameters {
		kernel.Sum(all[first:][:n])
	}
}

func (r benchAggregate) print(w io.Writer) error {
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
	return term.Table{
		Title: fmt.Sprintf("%d updates of %s, threads: %d, kernels %s",
			r.Updates, humanize.IBytes(4*uint64(r.Parameters)), r.Threads, r.Kernel),
		Columns: []term.Column{{Title: ""}, {Title: "GB/s", Right: true}, {Title: "of reading", Right: true}},
		Rows: []term.Row{
			{Cells: []string{"fold", number(r.GBps), term.Percent(r.ShareRead)}, Strong: true},
			{Cells: []string{"weighted mean of what readers copy", number(r.MeanGBps), term.Percent(r.MeanGBps / r.ReadGBps)}},
			{Cells: []string{"reading alone", number(r.ReadGBps), term.Percent(1)}},
		},
	}.Print(w)
}
