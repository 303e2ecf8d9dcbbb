package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
)

func newInviteCmd() *cobra.Command {
	var ttl time.Duration
	cmd := &cobra.Command{
		Use:   "invite SITE",
		Short: "Print a one-time token that lets a site join",
		Long: `Open an invitation for a site and print its token, which carries the
coordinator's address and the fingerprint of the federation's root. Whoever has
the token becomes that site, once: send it over a channel that only the site's
engineer reads. The coordinator keeps a hash of it only. A second invitation
replaces the first; inviting a site that has joined lets it join with a new key.`,
		Example: "  accord invite hospital-a --identity heart/admin\n  accord invite hospital-a --ttl 1h",
		Args:    cobra.ExactArgs(1),
	}
	steer := newSteering(cmd.Flags())
	cmd.Flags().DurationVar(&ttl, "ttl", 24*time.Hour, "how long the token may be used")
	cmd.RunE = steer.verb(func(ctx context.Context, args []string) error {
		if steer.credential == nil {
			return fault.Usagef("without certificates nobody is invited; --identity names an admin's folder")
		}
		secret, expires := pki.NewSecret(), time.Now().Add(ttl)
		federation, err := steer.client.Invite(ctx, args[0], pki.HashSecret(secret), expires)
		if err != nil {
			return err
		}
		token := pki.Token{Federation: federation, Site: args[0], Coordinator: steer.address, Root: steer.client.Root(), Secret: secret}
		if steer.json {
			return json.NewEncoder(steer.stdout).Encode(struct {
				Site    string    `json:"site"`
				Token   string    `json:"token"`
				Expires time.Time `json:"expires"`
			}{args[0], token.String(), expires.UTC()})
		}
		_, err = fmt.Fprintf(steer.stdout, `For %s, until %s, once:

  accord participant join %s --dataset idx:/path/to/its/data
`, args[0], expires.Format("2006-01-02 15:04"), token)
		return err
	})
	return cmd
}
