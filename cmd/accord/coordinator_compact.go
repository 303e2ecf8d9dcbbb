package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/quote"
)

func newCoordinatorCompactCmd() *cobra.Command {
	var file, dir string
	cmd := &cobra.Command{
		Use:   "compact",
		Short: "Make the coordinator's journal as short as it can be",
		Long: `Write the journal again without its events, with the coordinator stopped: in
their place are the state of each run and a hash of each event, with which
everything that sites know of the journal can still be checked. Runs that were
removed leave nothing but hashes.

A coordinator does this by itself, when its journal has grown long. Run it by
hand to free space at once, or to forget what accord run rm has removed. Copy
the journal first if you want to keep the events.`,
		Example: "  accord coordinator compact -f coordinator.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.LoadCoordinator(file)
			if err != nil {
				return err
			}
			if dir != "" {
				cfg.Dir = dir
			}
			if err := cfg.Validate(); err != nil {
				return err
			}
			return compact(cmd.Context(), cfg, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "configuration of the coordinator, YAML")
	cmd.Flags().StringVar(&dir, "dir", "", "folder of journal and artefacts, in place of the file's")
	if err := cmd.MarkFlagRequired("file"); err != nil {
		panic("accord: " + err.Error()) // the flag was added above
	}
	return cmd
}

// compact starts a coordinator that serves nobody and compacts its journal.
func compact(ctx context.Context, cfg config.Coordinator, stdout, stderr io.Writer) (err error) {
	log, err := newLog(stderr, cfg.LogLevel)
	if err != nil {
		return err
	}
	n, err := openNode(ctx, cfg, &testSet{TestSet: &coordinator.TestSet{}}, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	done, err := n.Compact(ctx)
	if err != nil {
		return err
	}
	return quote.Fprintf(stdout, "The journal has %d records. Of %d that its file held, only the hashes are left. The file had %d bytes, and has %d now.\n",
		done.Head, done.Removed, done.Before, done.After)
}
