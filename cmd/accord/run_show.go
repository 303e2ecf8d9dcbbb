package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/quote"
)

func newRunShowCmd(s *steering) *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Tell how a run stands",
		Example: "  accord run show digits-three-sites",
		Args:    cobra.ExactArgs(1),
		RunE: s.verb(func(ctx context.Context, args []string) error {
			run, err := s.client.Run(ctx, args[0])
			if err != nil {
				return err
			}
			if s.json {
				return quote.Encode(s.stdout, run)
			}
			return quote.Fprintf(s.stdout, "%s", describe(run))
		}),
	}
}

// describe tells all about a run, a line for each thing.
func describe(s coordinator.RunStatus) quote.Raw {
	var b quote.Builder
	line := func(key, format string, args ...any) { b.Printf("%-9s %s\n", key, quote.Sprintf(format, args...)) }
	line("run", "%s", s.Name)
	line("phase", "%s", s.Phase)
	if s.Reason != "" {
		line("reason", "%s", s.Reason)
	}
	if s.Attempt > 0 {
		line("round", "%d of %d, attempt %d", s.Round, s.Rounds, s.Attempt+1)
	} else {
		line("round", "%d of %d", s.Round, s.Rounds)
	}
	if len(s.Cohort) > 0 && !s.Phase.Final() {
		line("cohort", "%d of %d answered: %s", s.Accepted, len(s.Cohort), strings.Join(s.Cohort, ", "))
	}
	line("answers", "%d accepted, %d rejected, %d declined, %d late, %d lost",
		s.Counts.Accepted, s.Counts.Rejected, s.Counts.Declined, s.Counts.Late, s.Counts.Lost)
	line("model", "%s", s.Model)
	for _, v := range s.Published {
		b.Printf("%s\n", versionLine(v, s.Rounds))
	}
	return b.Raw()
}
