package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/internal/version"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
	"github.com/accord-fl/accord/simulation"
)

// outcome is a simulation, from its data to its result.
type outcome struct {
	cfg       config.Run
	command   []string // that does the same again
	split     dataset.Split
	shards    []shard
	options   simulation.Options
	folder    report.Folder
	result    simulation.Result
	test      *train.Evaluation // of the version kept; nil when not measured
	rounds    []report.Round
	summary   report.Summary
	baselines *simulation.Baselines
	compared  time.Duration // how long the baselines took
}

// once runs one simulation and prints what came of it.
func (s simulator) once(ctx context.Context) error {
	dir := s.flags.out
	if s.flags.resume != "" {
		dir = s.flags.resume
	}
	o, err := s.simulate(ctx, s.cfg, s.flags.command, dir)
	if err != nil {
		return err
	}
	if s.flags.json {
		return quote.Encode(s.stdout, o.summary)
	}
	return o.print(s.stdout)
}

// simulate runs cfg in the run folder dir; "" makes one that is named after
// the run and the time. command is what does the same again.
func (s simulator) simulate(ctx context.Context, cfg config.Run, command []string, dir string) (o outcome, err error) {
	start := time.Now()
	o = outcome{cfg: cfg, command: command}
	if s.flags.resume == "" {
		if err := report.Free(dir); err != nil { // say so before a long wait
			return o, err
		}
	}
	if err := s.prepare(&o); err != nil {
		return o, err
	}
	above := willMake(parentOf(dir))
	if o.folder, err = s.open(cfg, dir); err != nil {
		above.empty()
		return o, err
	}
	err = s.federate(ctx, &o)
	if err != nil && s.flags.resume == "" && o.result.State.Run == "" && ctx.Err() == nil {
		// Nothing has begun that could be resumed.
		err = errors.Join(err, os.RemoveAll(o.folder.Dir()))
		above.empty()
	}
	if err == nil {
		err = o.summarise(ctx, start)
	}
	if err == nil && cfg.Simulation.Baselines {
		err = s.compare(ctx, &o)
	}
	if err == nil {
		err = o.folder.WriteReport(o.report())
	}
	if errors.Is(err, context.Canceled) {
		// Progress is a courtesy: when it cannot be written, so be it.
		_ = quote.Fprintln(s.stderr, "interrupted; go on with: "+again("simulate", "--resume", o.folder.Dir()))
	}
	return o, err
}

// prepare loads and checks everything that a run needs, before anything is
// written.
func (s simulator) prepare(o *outcome) (err error) {
	loaded := patience(s.stderr, "loading "+o.cfg.Simulation.Dataset)
	o.split, err = loadSplit(o.cfg.Simulation)
	loaded()
	if err != nil {
		return err
	}
	if o.shards, err = divide(o.split, o.cfg.Simulation, o.cfg.Seed); err != nil {
		return err
	}
	switch {
	case o.cfg.Simulation.Baselines && o.split.Test == nil:
		return fault.Inputf("--baselines: data set %s has no test images to compare on", o.cfg.Simulation.Dataset)
	case o.cfg.StopAt > 0 && o.split.Test == nil && o.split.Val == nil:
		return fault.Inputf("--stop-at: data set %s has no test or validation images to measure on", o.cfg.Simulation.Dataset)
	}
	o.options, err = s.options(o.cfg, *o)
	return err
}

// federate runs the federation, or what is left of it.
func (s simulator) federate(ctx context.Context, o *outcome) error {
	view := newSimulateView(s.stderr, o.cfg)
	defer view.Close()
	archive := &keeper{Archive: coordinator.Archive{
		Folder: func(string) (report.Folder, error) { return o.folder, nil },
		Code:   version.Get().String(), Dataset: o.split.Train.Digest(), ClassNames: o.split.Train.ClassNames(),
	}}
	options := o.options
	options.Dir, options.Publisher = o.folder.Dir(), archive
	options.Observe, options.Progress = view.observe, view.trained
	result, err := simulation.Run(ctx, options)
	o.result, o.test = result, archive.test
	if errors.Is(err, fault.Exists) && result.State.Phase == round.Completed {
		if _, missing := os.Stat(o.folder.Path(report.ReportFile)); missing != nil {
			return o.recover() // it was interrupted after the last round
		}
	}
	return err
}

// recover reads the model of a run that is complete but for its report.
func (o *outcome) recover() (err error) {
	best, ok := o.result.State.Candidate()
	if !ok {
		return nil // nothing was published
	}
	o.result.Version = best
	o.result.Model, err = model.LoadParams(o.folder.Path(report.ModelFile), o.options.Definition.Contract)
	if err == nil && o.result.Model.Digest() != best.Model {
		err = fault.Inputf("%s is not the model of round %d that the journal names", o.folder.Path(report.ModelFile), best.Round)
	}
	return err
}

// compare trains what the federation is measured against.
func (s simulator) compare(ctx context.Context, o *outcome) error {
	options := o.options
	options.Dir = o.folder.Dir()
	view := newBaselineView(s.stderr, o.shards, o.split.Train.Len())
	defer view.Close()
	start := time.Now()
	b, err := simulation.Compare(ctx, options, o.split.Train.All(), len(o.rounds), view.trained)
	if err != nil {
		return err
	}
	o.baselines, o.compared = &b, time.Since(start)
	o.summary.Baselines = &report.Compared{Sites: map[string]float64{}, Central: b.Central.Accuracy}
	for _, s := range b.Sites {
		o.summary.Baselines.Sites[s.Site] = s.Accuracy
	}
	return nil
}

// options turns a run file and its data into a simulation.
func (s simulator) options(cfg config.Run, o outcome) (simulation.Options, error) {
	shape := o.split.Train.Shape()
	spec, err := cfg.Model.Resolve(shape[0], shape[1], shape[2], o.split.Train.Classes())
	if err != nil {
		return simulation.Options{}, err
	}
	if spec == nil {
		return simulation.Options{}, fault.Inputf("a simulation needs a network: set model, or use --spec")
	}
	if err := suits(spec, shape, o.split.Train.Classes()); err != nil {
		return simulation.Options{}, err
	}
	file, err := openInitial(cfg.Init)
	if err != nil {
		return simulation.Options{}, err
	}
	var initial io.ReaderAt
	var size int64
	if file != nil {
		defer func() { _ = file.Close() }() // only read
		initial, size = file, file.Size()
	}
	contract, first, how, err := startFrom(spec, initial, size)
	var weights *model.Params
	if err == nil && first != nil {
		weights, err = first.Params()
	}
	if err != nil {
		return simulation.Options{}, fmt.Errorf("start from %s: %w", cfg.Init, err)
	}
	if how != "" {
		if err := quote.Fprintf(s.stderr, "starting from %s, tensors matched %s\n", cfg.Init, how); err != nil {
			return simulation.Options{}, err
		}
	}
	options := simulation.Options{Definition: define(cfg, spec, contract), Initial: weights, Threads: cfg.Simulation.Threads}
	if o.split.Test != nil {
		options.Test = o.split.Test.All()
	}
	if o.split.Val != nil {
		options.Validation = o.split.Val.All()
	}
	for _, sh := range o.shards {
		options.Sites = append(options.Sites, simulation.Site{Name: sh.name, Data: sh.view})
	}
	return options, nil
}

// open makes the run folder, or opens the one to resume.
func (s simulator) open(cfg config.Run, dir string) (report.Folder, error) {
	if s.flags.resume != "" {
		return report.Open(dir)
	}
	cfg, err := absolute(cfg)
	if err != nil {
		return report.Folder{}, err
	}
	text, err := cfg.Marshal()
	if err != nil {
		return report.Folder{}, err
	}
	folder, err := newFolder(dir, cfg.Name)
	if err != nil {
		return folder, err
	}
	if err := atomicfile.WriteBytes(folder.Path(runFile), text); err != nil {
		folder.RemoveIfEmpty()
		return folder, err
	}
	return folder, nil
}

// parentOf is the folder that newFolder makes the run folder out in.
func parentOf(out string) string {
	if out == "" {
		return report.DefaultParent
	}
	return filepath.Dir(out)
}

// absolute makes the paths in cfg independent of the working folder and of
// the run file's place.
func absolute(cfg config.Run) (_ config.Run, err error) {
	kind, file, _ := strings.Cut(cfg.Simulation.Dataset, ":")
	if file != "" && !filepath.IsAbs(file) {
		file = filepath.Join(cfg.Simulation.Dir, file) // as dataset.Load does
	}
	for _, path := range []*string{&cfg.Init, &cfg.Simulation.Dir, &file} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return cfg, err
		}
	}
	if file != "" {
		cfg.Simulation.Dataset = kind + ":" + file
	}
	return cfg, nil
}
