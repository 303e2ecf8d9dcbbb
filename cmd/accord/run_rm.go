package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
)

func newRunRmCmd(s *steering) *cobra.Command {
	var yes, files bool
	cmd := &cobra.Command{
		Use:   "rm NAME...",
		Short: "Remove runs that have ended, with their histories",
		Long: `Remove runs that have ended: their histories, and the artefacts that the
coordinator keeps for them. What was published stays in the folder runs/NAME of
the coordinator, and as long as that folder is there no other run gets the
name; --files removes it, too. Neither can be undone. A run that has not ended
is refused: stop it first. Sites remember by its name which rounds of a run
they have answered, and decline them for another model, so give a new run a new
name.`,
		Example: "  accord run rm digits-three-sites\n  accord run rm first-try second-try --files --yes",
		Args:    cobra.MinimumNArgs(1),
	}
	cmd.RunE = s.verb(func(ctx context.Context, names []string) error {
		if !yes {
			if err := confirm(cmd.InOrStdin(), s.stderr, removal(names, files)); err != nil {
				return err
			}
		}
		return s.remove(ctx, names, files)
	})
	cmd.Flags().BoolVar(&files, "files", false, "remove what was published, too")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// removal asks about what is to be removed.
func removal(names []string, files bool) string {
	what := "Remove run " + names[0]
	if len(names) > 1 {
		what = fmt.Sprintf("Remove %d runs (%s)", len(names), strings.Join(names, ", "))
	}
	if files {
		what += " and all that was published"
	}
	return what + " for good?"
}

// remove removes one run after another, until one cannot be removed.
func (s *steering) remove(ctx context.Context, names []string, files bool) error {
	for _, name := range names {
		kept, err := s.client.Remove(ctx, name, files)
		if err != nil {
			return err
		}
		if s.json {
			err = quote.Encode(s.stdout, struct {
				Removed string `json:"removed"`
				Kept    bool   `json:"kept"` // the folder of what was published is still there
			}{name, kept})
		} else {
			text := fmt.Sprintf("Run %s is removed.", name)
			switch {
			case files:
				text = fmt.Sprintf("Run %s is removed, with what it published.", name)
			case kept:
				text += fmt.Sprintf(" What it published stays in runs/%s of the coordinator's folder.", name)
			}
			err = quote.Fprintln(s.stdout, text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// errNotConfirmed ends a command that was not confirmed.
var errNotConfirmed = fault.As(fault.Input, errors.New("nothing was removed"))

// confirm asks a question on a terminal. Anything but a yes is an error; so is
// a file in that is not a terminal, because nobody can be asked there.
func confirm(in io.Reader, out io.Writer, question string) error {
	if f, ok := in.(*os.File); ok && !term.IsTerminal(int(f.Fd())) {
		return fault.Usagef("there is no terminal on which to ask: --yes removes without a question")
	}
	if err := quote.Fprintf(out, "%s [y/N] ", question); err != nil {
		return err
	}
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errNotConfirmed
}
