package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/internal/term"
)

// sweepSummary is what --seeds prints as JSON.
type sweepSummary struct {
	Accuracy    *float64         `json:"accuracy"` // mean over the seeds
	AccuracyStd *float64         `json:"accuracy_std"`
	Runs        []report.Summary `json:"runs"`
}

// sweep runs once for each seed, each in a folder of its own.
func (s simulator) sweep(ctx context.Context) error {
	seeds, err := parseSeeds(s.flags.seeds)
	if err != nil {
		return err
	}
	above := willMake(parentOf(s.flags.out))
	defer above.empty() // after the folder, when the first run could not even begin
	folder, err := newFolder(s.flags.out, s.cfg.Name)
	if err != nil {
		return err
	}
	defer folder.RemoveIfEmpty()
	dir := folder.Dir()
	var sum sweepSummary
	var accuracies []float64
	for _, seed := range seeds {
		cfg := s.cfg
		cfg.Seed = seed
		command := append(slices.Clone(s.flags.command), fmt.Sprintf("--seed=%d", seed))
		o, err := s.simulate(ctx, cfg, command, filepath.Join(dir, fmt.Sprintf("seed-%d", seed)))
		if err != nil {
			return err
		}
		sum.Runs = append(sum.Runs, o.summary)
		if a := o.summary.Accuracy; a != nil {
			accuracies = append(accuracies, *a)
		}
	}
	if len(accuracies) > 0 {
		mean, std := stat.Mean(accuracies, nil), 0.0
		if len(accuracies) > 1 {
			std = stat.StdDev(accuracies, nil)
		}
		sum.Accuracy, sum.AccuracyStd = &mean, &std
	}
	if s.flags.json {
		return quote.Encode(s.stdout, sum)
	}
	return sum.print(s.stdout, dir)
}

func (sum sweepSummary) print(w io.Writer, dir string) error {
	t := term.Table{Title: "Test accuracy by seed", Columns: []term.Column{{Title: "seed", Right: true}, {Title: "accuracy", Right: true}, {Title: "rounds", Right: true}, {Title: "model"}}}
	for _, r := range sum.Runs {
		accuracy := "–"
		if r.Accuracy != nil {
			accuracy = term.Percent(*r.Accuracy)
		}
		t.Rows = append(t.Rows, term.Row{Cells: []string{strconv.FormatUint(r.Seed, 10), accuracy, strconv.Itoa(r.Rounds), r.ModelDigest[:12]}})
	}
	if err := t.Print(w); err != nil {
		return err
	}
	if sum.Accuracy == nil {
		return nil
	}
	return quote.Fprintf(w, "\nmean %s ± %.2f (standard deviation of %d seeds), runs in %s\n", term.Percent(*sum.Accuracy), 100**sum.AccuracyStd, len(sum.Runs), dir)
}

// parseSeeds reads a range such as 1..3, or a single seed.
func parseSeeds(text string) ([]uint64, error) {
	from, to, isRange := strings.Cut(text, "..")
	if !isRange {
		to = from
	}
	first, err1 := strconv.ParseUint(from, 10, 64)
	last, err2 := strconv.ParseUint(to, 10, 64)
	if err1 != nil || err2 != nil || last < first || last-first >= 1000 {
		return nil, fault.Usagef("--seeds %q: want a range such as 1..3, of at most 1000 seeds", text)
	}
	var seeds []uint64
	for seed := first; seed <= last; seed++ {
		seeds = append(seeds, seed)
	}
	return seeds, nil
}
