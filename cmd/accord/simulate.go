package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
)

// simulateFlags are what the command line says beside the run file.
type simulateFlags struct {
	file   string
	resume string
	out    string
	seeds  string
	spec   string
	json   bool
	bare   bool // no flag was given: the tour for newcomers

	command []string // that does the same again, in another folder
}

func newSimulateCmd() *cobra.Command {
	var f simulateFlags
	given := config.Defaults()
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Train across virtual sites on this machine, as a federation would",
		Long: `Simulate a whole federation in this process: a coordinator and its sites, each
with a private share of the data, train one model by federated averaging. The
code is that of a real federation but for the network, and so is the model: the
same run over gRPC gives the same weights, bit for bit.

Without flags, ten sites with handwriting of their own learn to read digits
together, and a table shows what the federation was worth to each of them. That
takes a quarter to half a minute on two cores with AVX-512 or AVX2, some minutes
without, and two thirds of it go into the comparison.

Flags mirror the keys of a run file (see configs/) and win over it. A set's
validation split, where it has one, and never the test set, decides when
--stop-at is reached and which version is kept; without one, --stop-at goes by
the test set and the last version is kept.

The results are left in a run folder: the model (model.safetensors, model.json),
metrics.jsonl, accuracy curves and report.md. A run that was interrupted goes
on with --resume.`,
		Example: `  accord simulate
  accord simulate --dataset mnist --data data/mnist --sites 100 --fraction 0.1 --rounds 20 --stop-at 0.99
  accord simulate --dataset mnist --data data/mnist --sites 100 --partition shards:2 --seeds 1..3
  accord simulate -f configs/mnist.yaml --rounds 5 --json
  accord simulate --resume runs/mnist-20260102-150405`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	apply := runFlags(flags, &given)
	flags.StringVarP(&f.file, "file", "f", "", "run file to start from")
	flags.StringVar(&f.spec, "spec", "", "file with the network to train (default the reference CNN, fitted to the data)")
	flags.StringVar(&f.resume, "resume", "", "run folder of an interrupted run to go on with")
	flags.StringVar(&f.out, "out", "", "run folder to make (default runs/NAME-DATE-TIME)")
	flags.StringVar(&f.seeds, "seeds", "", "run once for each seed of a range such as 1..3, and give mean ± standard deviation")
	flags.BoolVar(&f.json, "json", false, "print one JSON object on stdout and nothing else")
	cmd.MarkFlagsMutuallyExclusive("resume", "file")
	cmd.MarkFlagsMutuallyExclusive("resume", "out")
	cmd.MarkFlagsMutuallyExclusive("resume", "seeds")
	cmd.MarkFlagsMutuallyExclusive("seed", "seeds")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		f.bare = flags.NFlag() == 0
		f.command = commandLine(cmd, "out", "resume", "seeds", "json")
		if f.resume != "" {
			f.command = append(f.command, "--file="+filepath.Join(f.resume, runFile))
		}
		cfg, err := f.config(apply)
		if err != nil {
			return err
		}
		if err := checkThreads(cfg.Simulation.Threads); err != nil {
			return err
		}
		s := simulator{cfg: cfg, flags: f, stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr()}
		if f.seeds != "" {
			return s.sweep(cmd.Context())
		}
		return s.once(cmd.Context())
	}
	return cmd
}

// runFlags adds the flags that mirror a run file; given holds their defaults.
// The returned function writes the flags that were given into cfg.
func runFlags(flags *pflag.FlagSet, given *config.Run) (apply func(cfg *config.Run)) {
	flags.StringVar(&given.Name, "name", given.Name, "of the run; keys all training randomness, together with the seed (default the data set's)")
	flags.Uint64Var(&given.Seed, "seed", given.Seed, "of everything that is drawn")
	flags.StringVar(&given.Init, "init", given.Init, "safetensors file to start from")
	flags.IntVar(&given.Rounds, "rounds", given.Rounds, "rounds to train")
	flags.Float64Var(&given.Fraction, "fraction", given.Fraction, "share of the sites that train in a round")
	flags.Float64Var(&given.StopAt, "stop-at", given.StopAt, "accuracy that ends the run, such as 0.99; 0 for none")
	flags.Float64Var(&given.ServerLR, "server-lr", given.ServerLR, "how far the model moves along the mean update")
	flags.StringVar(&given.Weighting, "weighting", given.Weighting, "of updates: samples or uniform")
	flags.IntVar(&given.Simulation.Threads, "threads", given.Simulation.Threads, "threads that train, 0 for one a core")
	flags.BoolVar(&given.Simulation.Baselines, "baselines", given.Simulation.Baselines, "also train every site alone, and all data in one place (default true without any flag)")
	dataFlags(flags, &given.Simulation.Data)
	shardFlags(flags, &given.Simulation)
	local := localFlags(flags, given.Local)
	flags.StringVar((*string)(&given.Local.LRSchedule), "lr-schedule", string(given.Local.LRSchedule), "how the learning rate falls over rounds: constant, or inverse_sqrt: lr/√t in round t")
	return func(cfg *config.Run) {
		for name, set := range map[string]func(){
			"name":             func() { cfg.Name = given.Name },
			"seed":             func() { cfg.Seed = given.Seed },
			"init":             func() { cfg.Init = given.Init },
			"rounds":           func() { cfg.Rounds = given.Rounds },
			"fraction":         func() { cfg.Fraction = given.Fraction },
			"stop-at":          func() { cfg.StopAt = given.StopAt },
			"server-lr":        func() { cfg.ServerLR = given.ServerLR },
			"weighting":        func() { cfg.Weighting = given.Weighting },
			"lr-schedule":      func() { cfg.Local.LRSchedule = given.Local.LRSchedule },
			"threads":          func() { cfg.Simulation.Threads = given.Simulation.Threads },
			"baselines":        func() { cfg.Simulation.Baselines = given.Simulation.Baselines },
			"dataset":          func() { cfg.Simulation.Dataset = given.Simulation.Dataset },
			"data":             func() { cfg.Simulation.Dir = given.Simulation.Dir },
			"sites":            func() { cfg.Simulation.Sites = given.Simulation.Sites },
			"partition":        func() { cfg.Simulation.Partition = given.Simulation.Partition },
			"samples-per-site": func() { cfg.Simulation.SamplesPerSite = given.Simulation.SamplesPerSite },
			"test-samples":     func() { cfg.Simulation.TestSamples = given.Simulation.TestSamples },
		} {
			if flags.Changed(name) {
				set()
			}
		}
		local(&cfg.Local)
	}
}

// config puts the run file and the flags together and checks the whole.
func (f simulateFlags) config(apply func(*config.Run)) (config.Run, error) {
	cfg := config.Defaults()
	var err error
	switch {
	case f.file != "":
		cfg, err = config.Load(f.file)
	case f.resume != "":
		cfg, err = config.Load(filepath.Join(f.resume, runFile))
	}
	if err != nil {
		return cfg, err
	}
	before := cfg.Name
	apply(&cfg)
	if f.file == "" && f.resume == "" && cfg.Name == before {
		cfg.Name, _, _ = strings.Cut(cfg.Simulation.Dataset, ":")
	}
	if f.spec != "" {
		data, err := os.ReadFile(f.spec)
		if err != nil {
			return cfg, fault.As(fault.Input, err)
		}
		spec, err := model.ParseSpec(f.spec, data)
		if err != nil {
			return cfg, err
		}
		cfg.Model = config.Model{Spec: spec}
	}
	if f.bare {
		cfg.Simulation.Baselines = true
	}
	cfg.MinSites = cfg.Simulation.Sites // virtual sites always attend
	return cfg, cfg.Validate()
}

// runFile is the run as it was started, for --resume and for the record.
const runFile = "run.yaml"

// openInitial opens the file to start from; nil when there is none.
func openInitial(path string) (*spool.Blob, error) {
	if path == "" {
		return nil, nil
	}
	blob, err := openModel(path)
	if err != nil {
		return nil, fmt.Errorf("initial model: %w", err)
	}
	return blob, nil
}

// simulator runs what a command line asks for.
type simulator struct {
	cfg            config.Run
	flags          simulateFlags
	stdout, stderr io.Writer
}
