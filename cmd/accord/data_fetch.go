package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/internal/term"
)

func newDataFetchCmd() *cobra.Command {
	var out string
	var mirrors []string
	cmd := &cobra.Command{
		Use:   "fetch NAME",
		Short: "Download a published data set",
		Long: `Download a published data set to a folder. There is mnist: 70,000 handwritten
digits, 12 MB. Every file is checked against its SHA-256 before it gets its
name. A file that is there already and right is not fetched again; what an
interrupted download left is gone on with. When one mirror fails, the next one
is asked.`,
		Example:   "  accord data fetch mnist --out data/mnist\n  accord data fetch mnist --out data/mnist --mirror https://mirror.example.org/mnist/",
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"mnist"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return fault.Usagef("--out: the folder has no name")
			}
			source, err := dataset.FindSource(args[0])
			if err != nil {
				return err
			}
			if mirrors != nil {
				source.Mirrors = mirrors
			}
			if err := source.Validate(); err != nil {
				return err
			}
			return fetch(cmd.Context(), source, out, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "folder to write to; it is made when it is not there")
	cmd.Flags().StringArrayVar(&mirrors, "mirror", nil, "`address` of a folder that has the files, instead of the usual ones; may be given several times")
	if err := cmd.MarkFlagRequired("out"); err != nil {
		panic("accord: " + err.Error()) // the flag was added above
	}
	return cmd
}

// fetch downloads source to the folder out and says what to do with it.
func fetch(ctx context.Context, source dataset.Source, out string, stdout, stderr io.Writer) error {
	done, err := download(ctx, source, out, stderr)
	switch {
	case errors.Is(err, fault.Unavailable):
		return errors.Join(err, errors.New("the same command goes on with what has come; --mirror names another address"))
	case err != nil:
		return err
	}
	what := fmt.Sprintf("fetched all %d files, %s", done.Files, humanize.Bytes(uint64(source.Size())))
	switch {
	case done.Files == 0:
		what = "all files were there already"
	case done.Present > 0:
		what = fmt.Sprintf("fetched %d of %d files, the others were there already", done.Files, done.Files+done.Present)
	}
	err = quote.Fprintf(stdout, "%s: %s; checksums are right\n\nNext:\n  %s\n  %s\n", out, what,
		report.ShellLine([]string{"accord", "data", "stats", "--dataset", source.Name, "--data", out}),
		report.ShellLine([]string{"accord", "simulate", "--dataset", source.Name, "--data", out}),
	)
	return err
}

// download shows on stderr how a download goes.
func download(ctx context.Context, source dataset.Source, out string, stderr io.Writer) (dataset.Fetched, error) {
	progress := term.New(stderr, term.Options{Title: "fetch " + source.Name + " to " + out, Unit: "set", Parts: "bytes"})
	defer progress.Close()
	var begun time.Time
	var before int64 // bytes that were there when the first new ones came
	o := dataset.DefaultFetchOptions()
	o.Warn = func(err error) { progress.Line("warning: " + err.Error()) }
	o.Progress = func(p dataset.FetchProgress) {
		now := term.Snapshot{Phase: p.File, Round: 1, Rounds: 1, Done: p.Done, Total: p.Total}
		if begun.IsZero() {
			begun, before = time.Now(), p.Done
		} else if elapsed := time.Since(begun).Seconds(); elapsed > 0 {
			now.Rate = float64(p.Done-before) / elapsed
		}
		progress.Update(now)
	}
	done, err := dataset.Fetch(ctx, source, out, o)
	if errors.Is(err, context.Canceled) {
		progress.Line("what has come so far stays in " + out + "; the same command goes on from there")
	}
	return done, err
}
