package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/hours"
	"github.com/accord-fl/accord/participant/policy"
)

// gateOf makes the site's policy one that judges tasks.
func gateOf(cfg config.Participant, log *zap.Logger) (*policy.Gate, error) {
	open, err := hours.Parse(cfg.Policy.Hours, cfg.Policy.TimeZone)
	if err != nil {
		return nil, err
	}
	who := cfg.Trainer
	if who == config.TrainerExec {
		who += ": " + strings.Join(cfg.Exec.Command, " ")
	}
	p := cfg.Policy
	largest, err := sizeOf(p.MaxModel)
	if err != nil {
		return nil, err
	}
	return &policy.Gate{
		Policy: policy.Policy{
			Runs: p.Runs, Datasets: slices.Sorted(maps.Keys(cfg.Datasets)),
			MaxEpochs: p.MaxEpochs, MaxParameters: p.MaxParameters, MaxModel: largest, MaxRepeats: p.MaxRepeats, MinCohort: p.MinCohort,
			ShareSamples: p.ShareSamples, ShareMetrics: p.ShareMetrics,
			Hours: open, Manual: p.Approve == config.ApproveManual,
		},
		Trainer: who, Dir: cfg.Dir, Log: log.Named("policy"),
	}, nil
}

// sizeOf is a size of the configuration; 0 when it says none.
func sizeOf(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	return config.ParseSize(text)
}

// reserveOf is how much of its disk the site leaves free.
func reserveOf(p config.Policy) (policy.Reserve, error) {
	if p.DiskReserve == "" {
		return policy.DefaultReserve(), nil
	}
	bytes, percent, err := config.ParseShare(p.DiskReserve)
	return policy.Reserve{Bytes: bytes, Percent: percent}, err
}

// siteFlags name a site of this machine, for verbs that work in its folder.
type siteFlags struct{ file, name, dir string }

func (s *siteFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&s.file, "file", "f", "", "the participant's configuration, YAML")
	cmd.Flags().StringVar(&s.name, "name", "", "of the site, as given to the participant")
	cmd.Flags().StringVar(&s.dir, "dir", "", "folder of the site, as given to the participant")
	if err := cmd.MarkFlagRequired("file"); err != nil {
		panic("accord: " + err.Error()) // the flag was added above
	}
}

// load reads the site's configuration.
func (s *siteFlags) load() (config.Participant, error) {
	cfg, err := config.LoadParticipant(s.file)
	if err != nil {
		return cfg, err
	}
	place(&cfg, s.name, s.dir)
	return cfg, nil
}

// again is a command line about the same site.
func (s *siteFlags) again(args ...string) string {
	for _, f := range [][2]string{{"-f", s.file}, {"--name", s.name}, {"--dir", s.dir}} {
		if f[1] != "" {
			args = append(args, f[0], f[1])
		}
	}
	return again(append([]string{"participant"}, args...)...)
}

// oneRun refuses arguments that do not name exactly one run.
func oneRun(args []string) error {
	if len(args) != 1 {
		return fault.Usagef("want the name of one run, got %d", len(args))
	}
	return nil
}
