package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
)

func newRunShowCmd(s *steering) *cobra.Command {
	last := -1
	cmd := &cobra.Command{
		Use:     "show NAME",
		Short:   "Show how a run stands, and its versions",
		Example: "  accord run show digits-three-sites\n  accord run show digits-three-sites --last 10",
		Args:    cobra.ExactArgs(1),
		RunE: s.verb(func(ctx context.Context, args []string) error {
			if last < -1 {
				return fault.Usagef("--last %d: want 0 or more, or -1 for all", last)
			}
			run, err := s.show(ctx, args[0], last)
			if err != nil {
				return err
			}
			if s.json {
				return quote.Encode(s.stdout, run)
			}
			return quote.Fprintf(s.stdout, "%s", describe(run))
		}),
	}
	cmd.Flags().IntVar(&last, "last", last, "versions to show, the newest; -1 for all")
	return cmd
}

// show returns how a run stands with so many of its versions, the newest; -1
// stands for all.
func (s *steering) show(ctx context.Context, name string, last int) (coordinator.RunStatus, error) {
	run, err := s.client.Run(ctx, name)
	if err != nil {
		return run, err
	}
	wanted := run.Versions
	if last >= 0 {
		wanted = min(wanted, last)
	}
	if wanted > len(run.Published) { // the coordinator sends the newest by themselves
		run.Published, err = s.client.Versions(ctx, name, run.Versions-wanted)
		run.Versions = max(run.Versions, run.Versions-wanted+len(run.Published)) // there may be more by now
		return run, err
	}
	run.Published = run.Published[len(run.Published)-wanted:]
	return run, nil
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
	if earlier := s.Versions - len(s.Published); earlier > 0 {
		shown := ""
		if n := len(s.Published); n > 0 {
			shown = fmt.Sprintf(", the newest %d below", n)
		}
		line("versions", "%d in all%s", s.Versions, shown)
	}
	for _, v := range s.Published {
		b.Printf("%s\n", versionLine(v, s.Rounds))
	}
	return b.Raw()
}
