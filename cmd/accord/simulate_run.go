package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/kernel"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/internal/version"
	"github.com/accord-fl/accord/model/train"
	"github.com/accord-fl/accord/simulation"
)

// outcome is a finished simulation.
type outcome struct {
	cfg       config.Run
	folder    report.Folder
	dir       string
	result    simulation.Result
	rounds    []report.Round
	summary   report.Summary
	baselines *simulation.Baselines
	split     dataset.Split
	shards    []shard
}

// once runs one simulation and prints what came of it.
func (s simulator) once(ctx context.Context) error {
	dir := s.flags.out
	if dir == "" {
		dir = report.DefaultDir(s.cfg.Name, time.Now())
	}
	if s.flags.resume != "" {
		dir = s.flags.resume
	}
	o, err := s.simulate(ctx, s.cfg, dir)
	if err != nil {
		return err
	}
	if s.flags.json {
		return json.NewEncoder(s.stdout).Encode(o.summary)
	}
	return o.print(s.stdout)
}

// simulate runs cfg in the run folder dir.
func (s simulator) simulate(ctx context.Context, cfg config.Run, dir string) (o outcome, err error) {
	start := time.Now()
	o = outcome{cfg: cfg, dir: dir}
	if o.split, err = loadSplit(cfg.Simulation); err != nil {
		return o, err
	}
	if o.shards, err = divide(o.split, cfg.Simulation, cfg.Seed); err != nil {
		return o, err
	}
	options, err := s.options(cfg, o)
	if err != nil {
		return o, err
	}
	if o.folder, err = s.open(cfg, dir); err != nil {
		return o, err
	}
	defer func() {
		if err != nil && !errors.Is(err, context.Canceled) {
			o.folder.RemoveIfEmpty()
		}
	}()
	view := newSimulateView(s.stderr, cfg)
	defer view.Close()
	archive := &keeper{Archive: coordinator.Archive{
		Folder: func(string) (report.Folder, error) { return o.folder, nil },
		Code:   version.Get().String(), Dataset: o.split.Train.Digest(), ClassNames: o.split.Train.ClassNames(),
	}}
	options.Dir, options.Publisher = dir, archive
	options.Observe, options.Progress = view.observe, view.trained
	if o.result, err = simulation.Run(ctx, options); err != nil {
		if errors.Is(err, context.Canceled) {
			view.Line("interrupted; go on with: " + report.ShellLine([]string{"accord", "simulate", "--resume", dir}))
		}
		return o, err
	}
	if o.rounds, err = report.ReadMetrics(o.folder.Path(report.MetricsFile)); err != nil {
		return o, err
	}
	o.summarise(time.Since(start), archive.test)
	if cfg.Simulation.Baselines {
		view.baselines()
		b, err := simulation.Compare(ctx, options, o.split.Train.All(), len(o.rounds), view.trained)
		if err != nil {
			return o, err
		}
		o.baselines = &b
	}
	return o, o.folder.WriteReport(o.report(s.args))
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
	file, size, err := openInitial(cfg.Init)
	if err != nil {
		return simulation.Options{}, err
	}
	var initial io.ReaderAt
	if file != nil {
		defer func() { _ = file.Close() }() // only read
		initial = file
	}
	contract, weights, how, err := startFrom(spec, initial, size)
	if err != nil {
		return simulation.Options{}, fmt.Errorf("start from %s: %w", cfg.Init, err)
	}
	if how != "" {
		if _, err := fmt.Fprintf(s.stderr, "starting from %s, tensors matched %s\n", cfg.Init, how); err != nil {
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
	folder, err := report.Create(dir)
	if err != nil {
		return folder, err
	}
	if cfg, err = absolute(cfg); err != nil {
		return folder, err
	}
	text, err := cfg.Marshal()
	if err != nil {
		return folder, err
	}
	return folder, atomicfile.WriteBytes(folder.Path(runFile), text)
}

// absolute makes the paths in cfg independent of the working folder and of
// the run file's place.
func absolute(cfg config.Run) (config.Run, error) {
	kind, file, isFile := strings.Cut(cfg.Simulation.Dataset, ":")
	for _, path := range []*string{&cfg.Init, &cfg.Simulation.Dir, &file} {
		if *path == "" {
			continue
		}
		full, err := filepath.Abs(*path)
		if err != nil {
			return cfg, err
		}
		*path = full
	}
	if isFile {
		cfg.Simulation.Dataset = kind + ":" + file
	}
	return cfg, nil
}

// keeper is an Archive that remembers how the kept version measured.
type keeper struct {
	coordinator.Archive
	test *train.Evaluation
}

// Publish implements coordinator.Publisher.
func (k *keeper) Publish(ctx context.Context, p coordinator.Publication) error {
	if p.Best {
		k.test = p.Measurement.Test
	}
	return k.Archive.Publish(ctx, p)
}

// summarise fills in what --json prints. test is how the kept version
// measured; after a resumption that published nothing better it is nil, and
// the journal's figures have to do.
func (o *outcome) summarise(elapsed time.Duration, test *train.Evaluation) {
	sum := report.Summary{
		Accuracy: o.result.Version.Accuracy, BestAccuracy: report.Best(o.rounds), Rounds: len(o.rounds),
		RoundsToTarget: roundsTo(o.cfg.StopAt, o.result.State.Published),
		Seconds:        elapsed.Seconds(), PeakRSSBytes: report.PeakRSS(),
		ModelDigest: o.result.Version.Model, Seed: o.cfg.Seed, Kernel: kernel.Family(),
	}
	if test != nil {
		sum.Measure(test)
	}
	var samples int64
	for _, r := range o.rounds {
		sum.TrainSeconds += r.TrainSeconds
		samples += r.Samples
	}
	if sum.TrainSeconds > 0 {
		sum.SamplesPerSecond = float64(samples) / sum.TrainSeconds
	}
	o.summary = sum
}

// roundsTo is the first round that reached the target, nil if there is none.
func roundsTo(target float64, versions []round.Version) *int {
	for _, v := range versions {
		score := v.Validation
		if score == nil {
			score = v.Accuracy
		}
		if target > 0 && score != nil && *score >= target {
			return &v.Round
		}
	}
	return nil
}
