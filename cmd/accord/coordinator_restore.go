package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/quote"
)

func newCoordinatorRestoreCmd() *cobra.Command {
	var file, dir string
	var give journal.Restoring
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Let the coordinator go on from an older copy of its folder",
		Long: `Say that the coordinator is to go on from the journal that lies in its folder,
although it, or a site, had seen a later one. Run it after an older copy of the
folder was put back, with the coordinator stopped, or when the coordinator asks
for it.

It appends a record to the journal that begins a new incarnation. What sites
knew beyond the copy is lost: they are told so, and go on with what the
coordinator asks next. A site that was revoked since the copy was made has to
be revoked again.

A coordinator whose files are damaged or missing does not start, and says why.
Put back a backup of the whole folder first, if there is one. If there is none:

  --cut              keep the records before the damage, give up those after it
  --accept-registry  take a registry as it is whose end is lost, or that is not
                     the one the journal knows; then look through accord members
                     for whom to revoke again
  --new-registry     begin another registry: every site has to join again
  --new-journal      begin another journal: runs are forgotten, models stay

What these replace stays beside it, under a name with the time. Where the
journal's key is missing, another is made.`,
		Example: "  accord coordinator restore -f coordinator.yaml\n  accord coordinator restore -f coordinator.yaml --cut",
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
			restored, err := stateFolder(cfg).Restore(cmd.Context(), give)
			if err == nil && give.NewJournal {
				err = setRunsAside(cfg.Dir, &restored)
			}
			if err != nil {
				return err
			}
			return explainRestore(cmd.OutOrStdout(), restored)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "configuration of the coordinator, YAML")
	cmd.Flags().StringVar(&dir, "dir", "", "folder of journal and artefacts, in place of the file's")
	cmd.Flags().BoolVar(&give.Cut, "cut", false, "keep the records before the damage in a file and give up those after it")
	cmd.Flags().BoolVar(&give.AcceptRegistry, "accept-registry", false, "take the registry as it is")
	cmd.Flags().BoolVar(&give.NewRegistry, "new-registry", false, "begin a registry in which nobody has joined")
	cmd.Flags().BoolVar(&give.NewJournal, "new-journal", false, "begin a journal that knows of no run")
	if err := cmd.MarkFlagRequired("file"); err != nil {
		panic("accord: " + err.Error()) // the flag was added above
	}
	return cmd
}

// setRunsAside keeps what was published: a journal that knows of no run would let
// another run have the same name, and the same folder.
func setRunsAside(dir string, restored *journal.Restored) error {
	runs := filepath.Join(dir, "runs")
	to := runs + "." + time.Now().UTC().Format("20060102T150405Z")
	err := os.Rename(runs, to)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	restored.Did = append(restored.Did, "What was published is now in "+to+".")
	return err
}

func explainRestore(w io.Writer, r journal.Restored) error {
	for _, done := range r.Did {
		if err := quote.Fprintln(w, done); err != nil {
			return err
		}
	}
	return quote.Fprintf(w, `The journal %s goes on after %d records.
Its incarnation was %s and is %s; what sites knew of the
former one beyond record %d is lost, and they are told so.
Now start the coordinator.
`, r.Origin, r.Records-1, r.Former, r.Incarnation, r.Size)
}
