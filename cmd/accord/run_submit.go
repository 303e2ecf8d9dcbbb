package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"reflect"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/model/safetensors"
)

func newRunSubmitCmd(s *steering) *cobra.Command {
	var file, name string
	var watch bool
	cmd := &cobra.Command{
		Use:   "submit",
		Short: "Queue a run",
		Long: `Queue a run. The coordinator gets the run file with its spec written out, and
the initial model if the file names one; nothing else is sent. Runs beyond those
that it trains at the same time wait in order.`,
		Example: "  accord run submit -f configs/run.yaml\n  accord run submit -f configs/run.yaml --name second-try --watch",
		Args:    cobra.NoArgs,
		RunE: s.verb(func(ctx context.Context, _ []string) error {
			run, err := config.Load(file)
			if err != nil {
				return err
			}
			switch {
			case name != "":
				run.Name = name
			case reflect.DeepEqual(run, config.Defaults()):
				return fault.Inputf("%s says nothing, not even the run's name; configs/run.yaml is an example", file)
			}
			if err := s.submit(ctx, run, watch); err != nil || !watch {
				return err
			}
			return s.follow(ctx, run.Name)
		}),
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "run file, YAML (see configs/run.yaml)")
	cmd.Flags().StringVar(&name, "name", "", "name of the run, in place of the file's")
	cmd.Flags().BoolVar(&watch, "watch", false, "then watch it until it ends")
	if err := cmd.MarkFlagRequired("file"); err != nil {
		panic("accord: " + err.Error()) // the flag was added above
	}
	return cmd
}

// submit sends the run and says that it is queued.
func (s *steering) submit(ctx context.Context, run config.Run, quiet bool) error {
	var initial io.Reader
	if run.Init != "" {
		f, err := openModel(run.Init)
		if err != nil {
			return fmt.Errorf("init: %w", err)
		}
		defer f.Close() // only read from
		// The coordinator does not know the file's name.
		if _, err := safetensors.Open(f, f.Size()); err != nil {
			return fault.Inputf("init: %s: %w", run.Init, err)
		}
		initial = io.NewSectionReader(f, 0, f.Size())
	}
	// What concerns this machine alone stays here.
	run.Init = filepath.Base(run.Init)
	run.Simulation = config.Defaults().Simulation
	if initial == nil {
		run.Init = ""
	}
	document, err := run.Marshal()
	if err != nil {
		return err
	}
	name, note, err := s.client.Submit(ctx, document, initial)
	if err != nil || quiet {
		return err
	}
	if s.json {
		return quote.Encode(s.stdout, struct {
			Name string `json:"name"`
			Note string `json:"note,omitempty"`
		}{name, note})
	}
	more := quote.Raw("")
	if note != "" {
		more = quote.Sprintf("Initial model: %s.\n", note)
	}
	return quote.Fprintf(s.stdout, "Run %s is queued.\n%s%s\nNext:\n  %s\n", name, more, quote.Raw(needed(run)), s.again("run", "watch", name))
}

// needed says how many sites must contribute to each version of a run.
func needed(run config.Run) string {
	switch n := run.Window.Minimum; n {
	case 0:
		return "Each round needs updates from two sites, or from half of the selected sites if that is more.\n"
	case 1:
		return "Each round needs an update from one site.\n"
	default:
		return fmt.Sprintf("Each round needs updates from %d sites.\n", n)
	}
}
