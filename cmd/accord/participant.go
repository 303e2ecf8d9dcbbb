package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/heap"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/version"
	"github.com/accord-fl/accord/model/train"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/trainer"
)

func newParticipantCmd() *cobra.Command {
	var file, address, dir, name string
	var data config.Data
	cmd := &cobra.Command{
		Use:   "participant",
		Short: "Take part as a site, with data that stays here",
		Long: `Take part in a coordinator's runs until Ctrl-C. The participant dials the
coordinator, trains on its own data when asked, and sends back what training
changed in the model, never the data. While the coordinator cannot be reached
it keeps trying; a finished update waits on disk until it is acknowledged.`,
		Example: "  accord participant join TOKEN --dataset idx:/data/ward-3   # first, once\n  accord participant -f hospital-a/participant.yaml\n  accord participant -f configs/participant.yaml --name site-02 --dataset safetensors:shards/site-02.safetensors\n  accord participant -f configs/participant-exec.yaml   # trains with PyTorch",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.LoadParticipant(file)
			if err != nil {
				return err
			}
			if address != "" {
				cfg.Coordinator = address
			}
			place(&cfg, name, dir)
			if data.Dataset != "" {
				cfg.Data = config.Data{Dataset: data.Dataset}
			}
			if data.Dir != "" {
				cfg.Data.Dir = data.Dir
			}
			if err := cfg.Validate(); err != nil {
				return err
			}
			return participate(cmd.Context(), cfg, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "configuration, YAML (see configs/participant.yaml)")
	cmd.Flags().StringVar(&address, "coordinator", "", "host:port to dial, in place of the file's")
	cmd.Flags().StringVar(&dir, "dir", "", "folder of tasks under way, in place of the file's (with --name: beside that one, named after the site)")
	cmd.Flags().StringVar(&name, "name", "", "of the site, in place of the file's")
	cmd.Flags().StringVar(&data.Dataset, "dataset", "", "private data, in place of the file's: safetensors:FILE, idx:DIR, npz:FILE or images:DIR")
	cmd.Flags().StringVar(&data.Dir, "data", "", "folder of the data set's files, in place of the file's")
	if err := cmd.MarkFlagRequired("file"); err != nil {
		panic("accord: " + err.Error()) // the flag was added above
	}
	cmd.AddCommand(newParticipantJoinCmd(), newParticipantApproveCmd(), newParticipantInspectCmd())
	return cmd
}

// place gives the site of a file another name or folder, where they are not
// empty. Another site of the machine needs a folder of its own.
func place(cfg *config.Participant, name, dir string) {
	if name != "" {
		cfg.Name, cfg.Dir = name, filepath.Join(filepath.Dir(cfg.Dir), name)
	}
	if dir != "" {
		cfg.Dir = dir
	}
}

// threadsOf is how many threads the site's engine trains on.
func threadsOf(cfg config.Participant) int {
	if cfg.Threads > 0 {
		return cfg.Threads
	}
	return runtime.GOMAXPROCS(0)
}

// optionsOf are those of the participant, without a policy.
func optionsOf(cfg config.Participant) participant.Options {
	options := participant.DefaultOptions()
	options.Name, options.Coordinator, options.Insecure, options.Dir = cfg.Name, cfg.Coordinator, cfg.Insecure, cfg.Dir
	options.Federation, options.Version = cfg.PlainFederation(), version.Get().String()
	options.Capabilities = exchange.Capabilities{Trainer: cfg.Trainer, Cores: threadsOf(cfg), Memory: memoryLimit(), Datasets: cfg.Announce}
	options.Gossip = gossipOptions(cfg.Gossip)
	return options
}

// participate attends until ctx ends, which is a clean end.
func participate(ctx context.Context, cfg config.Participant, stderr io.Writer) (err error) {
	heap.SetFloor(heap.Small)
	log, err := newLog(stderr, cfg.LogLevel)
	if err != nil {
		return err
	}
	options := optionsOf(cfg)
	gate, err := gateOf(cfg, log)
	if err != nil {
		return err
	}
	options.Policy = gate
	if options.Reserve, err = reserveOf(cfg.Policy); err != nil {
		return err
	}
	if cfg.Identity != "" {
		if options.Credential, err = pki.OpenCredential(cfg.Identity); err != nil {
			return err
		}
	}
	if cfg.Trainer == config.TrainerExec {
		program, err := programOf(cfg)
		if err != nil {
			return err
		}
		return participant.Run(ctx, options, program, log)
	}
	data, err := shardOf(cfg.Data)
	if err != nil {
		return err
	}
	named := map[string]train.Data{}
	for name, d := range cfg.Datasets {
		if named[name], err = shardOf(d); err != nil {
			return fmt.Errorf("data set %s: %w", name, err)
		}
	}
	log.Info("data loaded", zap.String("participant", cfg.Name), zap.Int("samples", data.Len()))
	engines := trainer.NewPool(1, threadsOf(cfg))
	defer engines.Close()
	if options.Capabilities.SamplesPerSecond, err = calibrate(ctx, cfg.Dir, engines); err != nil {
		return err
	}
	return participant.Run(ctx, options, &trainer.Builtin{Data: data, Named: named, Engines: engines, Progress: progressLog(log)}, log)
}

// shardOf loads training data of the site.
func shardOf(d config.Data) (*dataset.View, error) {
	split, err := dataset.Load(d.Dataset, d.Dir)
	if err != nil {
		return nil, err
	}
	if split.Train == nil {
		return nil, fault.Inputf("data set %s has no training images", d.Dataset)
	}
	return split.Train.All(), nil
}

// programOf returns the trainer that runs the site's own program. What a
// crash left of earlier tasks goes.
func programOf(cfg config.Participant) (*trainer.Exec, error) {
	dir := filepath.Join(cfg.Dir, "tasks")
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("clear the folder of tasks: %w", fault.As(fault.Input, err))
	}
	return &trainer.Exec{Command: cfg.Exec.Command, Env: cfg.Exec.Variables(), Dir: dir, Limit: cfg.Exec.Timeout}, nil
}

// progressLog returns what logs, every few seconds, how a training gets on.
// One training runs at a time.
func progressLog(log *zap.Logger) func(exchange.Task, train.Progress) {
	const every = 10 * time.Second
	var task string
	var said time.Time
	return func(t exchange.Task, p train.Progress) {
		if t.ID != task {
			task, said = t.ID, time.Now()
		}
		if time.Since(said) < every {
			return
		}
		said = time.Now()
		log.Info("training goes on", zap.Int("round", t.Round), zap.Int64("step", p.Step), zap.Int64("steps", p.Steps),
			zap.Int("epoch", p.Epoch), zap.Float64("loss", p.Loss))
	}
}
