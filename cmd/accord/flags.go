package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model/train"
)

// dataFlags adds the flags that name a data set; d holds their defaults.
func dataFlags(flags *pflag.FlagSet, d *config.Data) {
	flags.StringVar(&d.Dataset, "dataset", d.Dataset, "data set: digits, mnist, idx:DIR, npz:FILE, safetensors:FILE or images:DIR")
	flags.StringVar(&d.Dir, "data", d.Dir, "folder of the data set's files")
}

// checkThreads checks a number of threads as flags take it.
func checkThreads(threads int) error {
	if threads < 0 || threads > train.MaxThreads {
		return fault.Inputf("threads: want 1 to %d, or 0 for one on each core, got %d", train.MaxThreads, threads)
	}
	return nil
}

// dataTitle names a data set in a title: by the end of its path, if it has one.
func dataTitle(d config.Data) string {
	if kind, path, _ := strings.Cut(d.Dataset, ":"); path != "" {
		return filepath.Base(path)
	} else if d.Dir != "" && kind != "mnist" {
		return filepath.Base(d.Dir)
	}
	return d.Dataset
}

// shardFlags adds the flags that say who holds what; s holds their defaults.
func shardFlags(flags *pflag.FlagSet, s *config.Simulation) {
	drawn := dataset.DefaultDigits()
	flags.IntVar(&s.Sites, "sites", s.Sites, "number of sites")
	flags.StringVar(&s.Partition, "partition", s.Partition, "who holds what: iid, shards:K, dirichlet:A, quantity:A or by:site (default by:site for digits, iid for other sets)")
	flags.IntVar(&s.SamplesPerSite, "samples-per-site", s.SamplesPerSite, fmt.Sprintf("digits only: training images drawn for each site, 0 for %d", drawn.PerSite))
	flags.IntVar(&s.TestSamples, "test-samples", s.TestSamples, fmt.Sprintf("digits only: test images drawn, 0 for %d", drawn.Test))
}

// localFlags adds the flags that say how to train. The returned function
// writes the flags that were given into l and leaves the rest of it alone.
func localFlags(flags *pflag.FlagSet, defaults config.Local) (apply func(l *config.Local)) {
	given := defaults
	flags.IntVar(&given.Epochs, "epochs", given.Epochs, "passes over the training data")
	flags.IntVar(&given.Batch, "batch", given.Batch, "samples a step, 0 for all of them at once")
	flags.IntVar(&given.Steps, "steps", given.Steps, "stop after so many steps, 0 for no limit")
	flags.BoolVar(&given.Shuffle, "shuffle", given.Shuffle, "draw a new order of the samples for every epoch")
	flags.StringVar(&given.Optimizer, "optimizer", given.Optimizer, "sgd or adam")
	lr := flags.Float64("lr", 0, "learning rate (default 0.1 for sgd, 0.001 for adam)")
	flags.Float64Var(&given.Momentum, "momentum", given.Momentum, "of sgd")
	flags.Float64Var(&given.WeightDecay, "weight-decay", given.WeightDecay, "of sgd: L2 added to the gradient")
	return func(l *config.Local) {
		if flags.Changed("optimizer") && given.Optimizer != l.Optimizer {
			l.Optimizer = given.Optimizer
			l.LR = config.DefaultLocal(given.Optimizer).LR
		}
		for _, f := range []struct {
			name string
			copy func()
		}{
			{"epochs", func() { l.Epochs = given.Epochs }},
			{"batch", func() { l.Batch = given.Batch }},
			{"steps", func() { l.Steps = given.Steps }},
			{"shuffle", func() { l.Shuffle = given.Shuffle }},
			{"lr", func() { l.LR = *lr }},
			{"momentum", func() { l.Momentum = given.Momentum }},
			{"weight-decay", func() { l.WeightDecay = given.WeightDecay }},
		} {
			if flags.Changed(f.name) {
				f.copy()
			}
		}
	}
}

// commandLine is the command with the flags that were given, in the order of
// their names, but for those in without: what to type to do the same again.
func commandLine(cmd *cobra.Command, without ...string) []string {
	line := strings.Fields(cmd.CommandPath())
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if !slices.Contains(without, f.Name) {
			line = append(line, "--"+f.Name+"="+f.Value.String())
		}
	})
	return line
}
