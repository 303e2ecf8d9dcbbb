package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/internal/term"
)

// print tells a person what came of a simulation.
func (o outcome) print(w io.Writer) error {
	if o.baselines != nil {
		if err := o.comparison().Print(w); err != nil {
			return err
		}
	} else if o.summary.Accuracy != nil {
		if _, err := fmt.Fprintf(w, "test accuracy %s after %d rounds\n", term.Percent(*o.summary.Accuracy), o.summary.Rounds); err != nil {
			return err
		}
	}
	if o.summary.RoundsToTarget != nil {
		if _, err := fmt.Fprintf(w, "reached %s in round %d\n", term.Percent(o.cfg.StopAt), *o.summary.RoundsToTarget); err != nil {
			return err
		}
	}
	modelPath := o.folder.Path(report.ModelFile)
	_, err := fmt.Fprintf(w, "\n%.1f s, %.0f samples/s, model %.12s in %s\n\nNext:\n  %s\n  %s\n  %s\n",
		o.summary.Seconds, o.summary.SamplesPerSecond, o.summary.ModelDigest, o.dir,
		report.ShellLine([]string{"accord", "model", "show", modelPath}),
		report.ShellLine([]string{"less", o.folder.Path(report.ReportFile)}),
		report.ShellLine(o.evaluation(modelPath)))
	return err
}

// evaluation is the command that measures the model again.
func (o outcome) evaluation(modelPath string) []string {
	s := o.cfg.Simulation
	command := []string{"accord", "model", "eval", modelPath, "--dataset", s.Dataset}
	if s.Dir != "" {
		command = append(command, "--data", s.Dir)
	}
	return command
}

// comparison is the table of what the federation was worth.
func (o outcome) comparison() term.Table {
	t := term.Table{
		Title:   "What the federation was worth: accuracy on the same test set",
		Columns: []term.Column{{Title: "trained on"}, {Title: "images", Right: true}, {Title: "accuracy", Right: true}, {Title: "", Bar: true}},
	}
	add := func(name string, images int, accuracy float64, strong bool) {
		t.Rows = append(t.Rows, term.Row{
			Cells:  []string{name, strconv.Itoa(images), term.Percent(accuracy), strconv.FormatFloat(accuracy, 'f', 4, 64)},
			Strong: strong,
		})
	}
	for i, b := range o.baselines.Sites {
		add(b.Site+" alone", o.shards[i].view.Len(), b.Accuracy, false)
	}
	add("federation, data stay home", o.split.Train.Len(), *o.summary.Accuracy, true)
	add("all data in one place", o.split.Train.Len(), o.baselines.Central.Accuracy, false)
	return t
}

// report is the page about the run.
func (o outcome) report(args []string) report.Report {
	s := o.cfg.Simulation
	l := o.cfg.Local
	r := report.Report{
		Title: fmt.Sprintf("%s: %d sites trained one model", o.cfg.Name, s.Sites),
		About: fmt.Sprintf("A simulated federation: %d sites, each with a private share of the %s training images, trained one model by federated averaging. In every round, %.3g %% of the sites trained on their own images and only what training changed left them.", s.Sites, s.Dataset, 100*o.cfg.Fraction),
		Settings: []report.Setting{
			{Name: "data set", Value: s.Dataset}, {Name: "training images", Value: strconv.Itoa(o.split.Train.Len())},
			{Name: "sites", Value: strconv.Itoa(s.Sites)}, {Name: "partition", Value: s.Scheme()},
			{Name: "rounds", Value: strconv.Itoa(o.cfg.Rounds)}, {Name: "fraction of sites in a round", Value: fmt.Sprint(o.cfg.Fraction)},
			{Name: "local training", Value: fmt.Sprintf("%d epochs, batch %d, %s, learning rate %g", l.Epochs, l.Batch, l.Optimizer, l.LR)},
			{Name: "strategy", Value: o.cfg.Strategy}, {Name: "seed", Value: strconv.FormatUint(o.cfg.Seed, 10)},
		},
		Command: append([]string{"accord"}, args...),
		Summary: o.summary, Rounds: o.rounds, Unit: "round", Label: "federated",
	}
	if card, err := report.ReadModel(o.folder.Path(report.CardFile)); err == nil {
		r.Model = card
	}
	if o.baselines != nil {
		for _, b := range o.baselines.Sites {
			r.Baselines = append(r.Baselines, report.Baseline{Name: b.Site + " alone", Accuracy: b.Accuracy, Site: true})
		}
		r.Baselines = append(r.Baselines, report.Baseline{Name: "all data in one place", Accuracy: o.baselines.Central.Accuracy})
	}
	return r
}

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
	dir := s.flags.out
	if dir == "" {
		dir = report.DefaultDir(s.cfg.Name, time.Now())
	}
	if _, err := report.Create(dir); err != nil {
		return err
	}
	var sum sweepSummary
	var accuracies []float64
	for _, seed := range seeds {
		cfg := s.cfg
		cfg.Seed = seed
		o, err := s.simulate(ctx, cfg, filepath.Join(dir, fmt.Sprintf("seed-%d", seed)))
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
		return json.NewEncoder(s.stdout).Encode(sum)
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
	_, err := fmt.Fprintf(w, "\nmean %s ± %.2f (standard deviation of %d seeds), runs in %s\n", term.Percent(*sum.Accuracy), 100**sum.AccuracyStd, len(sum.Runs), dir)
	return err
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
