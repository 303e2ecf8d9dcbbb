package main

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/term"
)

func newRunListCmd(s *steering) *cobra.Command {
	var limit int
	var active bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List runs, and the sites that attend",
		Long: `List all runs in the order of their submission, and the sites that attend. Each
has the newest of its versions; accord run show has the others.`,
		Example: "  accord run list --active\n  accord run list --limit 20 --json",
		Args:    cobra.NoArgs,
		RunE: s.verb(func(ctx context.Context, _ []string) error {
			if limit < 0 || limit > math.MaxInt32 {
				return fault.Usagef("--limit %d: want 1 or more, or 0 for all", limit)
			}
			runs, attending, err := s.client.Runs(ctx, limit, active)
			if err != nil {
				return err
			}
			if s.json {
				return quote.Encode(s.stdout, struct {
					Runs      []coordinator.RunStatus `json:"runs"`
					Attending []string                `json:"attending"`
				}{append([]coordinator.RunStatus{}, runs...), append([]string{}, attending...)})
			}
			if err := s.printRuns(runs, attending, active); err != nil {
				return err
			}
			return s.printHeld(ctx)
		}),
	}
	cmd.Flags().IntVar(&limit, "limit", 0, "list at most so many, the newest; 0 for all")
	cmd.Flags().BoolVar(&active, "active", false, "list only runs that have not ended")
	return cmd
}

func (s *steering) printRuns(runs []coordinator.RunStatus, attending []string, active bool) error {
	sites := "No site attends."
	if len(attending) > 0 {
		sites = fmt.Sprintf("%d attending: %s", len(attending), strings.Join(attending, ", "))
	}
	if err := quote.Fprintln(s.stdout, sites); err != nil {
		return err
	}
	if len(runs) == 0 && active {
		return quote.Fprintln(s.stdout, "No run is under way. Those that have ended: accord run list")
	}
	if len(runs) == 0 {
		return quote.Fprintln(s.stdout, "No run was submitted yet: accord run submit -f FILE")
	}
	table := term.Table{Columns: []term.Column{{Title: "run"}, {Title: "phase"}, {Title: "round", Right: true}, {Title: "accuracy", Right: true}}}
	for _, r := range runs {
		accuracy := ""
		if n := len(r.Published); n > 0 && r.Published[n-1].Accuracy != nil {
			accuracy = term.Percent(*r.Published[n-1].Accuracy)
		}
		table.Rows = append(table.Rows, term.Row{
			Cells:  []string{r.Name, string(r.Phase), fmt.Sprintf("%d/%d", r.Round, r.Rounds), accuracy},
			Strong: !r.Phase.Final(),
		})
	}
	if err := quote.Fprintf(s.stdout, "\n"); err != nil {
		return err
	}
	return table.Print(s.stdout)
}
