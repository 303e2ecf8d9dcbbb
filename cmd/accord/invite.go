package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/quote"
)

// maxTTL is how long a token may lie about at most.
const maxTTL = 90 * 24 * time.Hour

func newInviteCmd() *cobra.Command {
	var ttl time.Duration
	cmd := &cobra.Command{
		Use:   "invite SITE...",
		Short: "Print a one-time token that lets a site join",
		Long: `Open an invitation for a site and print its token, which carries the
coordinator's address and the fingerprint of the federation's root. Whoever has
the token becomes that site, once: send it over a channel that only the site's
engineer reads. The coordinator keeps a hash of it only. A second invitation
replaces the first; inviting a site that has joined lets it join with a new key.`,
		Example: "  accord invite hospital-a --identity heart/admin\n  accord invite lab-01 lab-02 lab-03 --ttl 1h --json",
		Args:    cobra.MinimumNArgs(1),
	}
	steer := newSteering(cmd.Flags())
	cmd.Flags().DurationVar(&ttl, "ttl", 24*time.Hour, "how long the token may be used")
	cmd.RunE = steer.verb(func(ctx context.Context, args []string) error {
		if ttl <= 0 || ttl > maxTTL {
			return fault.Usagef("--ttl %v: want a time above zero, such as 24h, and at most %v: whoever finds the token can join", ttl, maxTTL)
		}
		if steer.credential == nil {
			return fault.Usagef("without certificates nobody is invited; --identity names an admin's folder")
		}
		for _, site := range args {
			if err := steer.invite(ctx, site, time.Now().Add(ttl)); err != nil {
				return fmt.Errorf("invite %s: %w", site, err)
			}
		}
		return nil
	})
	return cmd
}

// invite opens an invitation and prints its token.
func (s *steering) invite(ctx context.Context, site string, expires time.Time) error {
	secret := pki.NewSecret()
	federation, err := s.client.Invite(ctx, site, pki.HashSecret(secret), expires)
	if err != nil {
		return err
	}
	token := pki.Token{Federation: federation, Site: site, Coordinator: s.address, Root: s.client.Root(), Secret: secret}
	if s.json {
		return quote.Encode(s.stdout, struct {
			Site    string    `json:"site"`
			Token   string    `json:"token"`
			Expires time.Time `json:"expires"`
		}{site, token.String(), expires.UTC()})
	}
	err = quote.Fprintf(s.stdout, `For %s, until %s, once:

  accord participant join %s --dataset idx:/path/to/its/data

`, site, expires.Format("2006-01-02 15:04 MST"), token)
	return err
}
