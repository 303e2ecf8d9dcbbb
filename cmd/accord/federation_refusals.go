package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/term"
)

func newFederationRefusalsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "refusals",
		Short:   "Tell who was refused lately, how often and why",
		Long:    "Tell which callers the coordinator refused since it was started, by minute,\ncaller and reason. The oldest are forgotten when there are very many.",
		Example: "  accord federation refusals --identity heart/admin",
		Args:    cobra.NoArgs,
	}
	steer := newSteering(cmd.Flags())
	cmd.RunE = steer.verb(func(ctx context.Context, _ []string) error {
		all, err := steer.client.Refusals(ctx)
		if err != nil {
			return err
		}
		if steer.json {
			for _, r := range all {
				if err := quote.Encode(steer.stdout, r); err != nil {
					return err
				}
			}
			return nil
		}
		if len(all) == 0 {
			return quote.Fprintln(steer.stdout, "nobody was refused since the coordinator was started")
		}
		table := term.Table{Columns: []term.Column{{Title: "minute"}, {Title: "caller"}, {Title: "reason"}, {Title: "calls", Right: true}}}
		for _, r := range all {
			table.Rows = append(table.Rows, term.Row{Cells: []string{r.Minute.Local().Format(time.DateTime), r.Caller, string(r.Reason), fmt.Sprint(r.Count)}})
		}
		return table.Print(steer.stdout)
	})
	return cmd
}
