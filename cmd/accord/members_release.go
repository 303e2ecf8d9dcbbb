package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/quote"
)

func newMembersReleaseCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release SITE",
		Short: "Give a site's place to its other process",
		Long: `End the attendance of the process that attends as a site, and keep it from
coming back for ten minutes, so that another one that wants to attend as this
site gets its place. Whoever attends keeps the place otherwise, and that is not
always the right one: a copy of a site's folder may have been started by
mistake.

The site is not revoked. If its key may be in wrong hands, use accord revoke.`,
		Example: "  accord members release hospital-a",
		Args:    cobra.ExactArgs(1),
	}
	steer := newSteering(cmd.Flags())
	cmd.RunE = steer.verb(func(ctx context.Context, args []string) error {
		had, err := steer.client.Release(ctx, args[0])
		if err != nil {
			return err
		}
		if steer.json {
			return nil
		}
		return quote.Fprintf(steer.stdout, "The process at %s no longer attends as %s, and cannot do so again before %s\n",
			had.From, args[0], had.Last.Add(coordinator.ReleasedFor).Local().Format(time.DateTime))
	})
	return cmd
}
