package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/quote"
)

func newRunStopCmd(s *steering) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:     "stop NAME",
		Short:   "End a run where it is; what was published stays",
		Example: "  accord run stop digits-three-sites --reason \"wrong learning rate\"",
		Args:    cobra.ExactArgs(1),
		RunE: s.verb(func(ctx context.Context, args []string) error {
			if err := s.client.Stop(ctx, args[0], reason); err != nil {
				return err
			}
			if s.json {
				return quote.Encode(s.stdout, map[string]string{"stopped": args[0]})
			}
			return quote.Fprintf(s.stdout, "Run %s is stopped.\n", args[0])
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "asked for from a terminal", "why, for the record")
	return cmd
}
