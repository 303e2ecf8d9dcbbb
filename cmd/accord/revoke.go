package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/quote"
)

func newRevokeCmd() *cobra.Command {
	var reason string
	var admin bool
	cmd := &cobra.Command{
		Use:   "revoke SITE",
		Short: "End a site's, or an admin's, access at once",
		Long: `End the access of a site at once, whatever it is doing: its streams are closed,
its certificate and its invitations are of no use any more. Another invitation
lets it join again, with a new key or the old one.`,
		Example: "  accord revoke hospital-a --reason \"laptop stolen\"\n  accord revoke --admin carol",
		Args:    cobra.ExactArgs(1),
	}
	steer := newSteering(cmd.Flags())
	cmd.Flags().StringVar(&reason, "reason", "", "why, for people; the site sees it")
	cmd.Flags().BoolVar(&admin, "admin", false, "it is an admin")
	cmd.RunE = steer.verb(func(ctx context.Context, args []string) error {
		if err := steer.client.Revoke(ctx, args[0], admin, reason); err != nil {
			return err
		}
		if steer.json {
			return nil
		}
		done := args[0] + " has no access any more"
		if admin { // there is no list of admins: their certificates say who is one
			done = "An admin called " + args[0] + " has no access any more, if there is one: is the name spelt as in the certificate?"
		}
		return quote.Fprintln(steer.stdout, done)
	})
	return cmd
}

func newTrustCmd() *cobra.Command {
	var roots string
	cmd := &cobra.Command{
		Use:   "trust SITE",
		Short: "Admit a site by certificates of its institution's own authority",
		Long: `Admit a site whose certificate its institution's own authority signs. It must
lead to the authority in --ca-cert and carry the site's name as common name or
among its DNS names; that authority can speak for this site only. The site puts
tls.crt, tls.key and the federation's ca.crt into its identity folder.`,
		Example: "  accord trust hospital-b --ca-cert hospital-b-ca.pem",
		Args:    cobra.ExactArgs(1),
	}
	steer := newSteering(cmd.Flags())
	cmd.Flags().StringVar(&roots, "ca-cert", "", "certificate of the institution's authority, PEM")
	if err := cmd.MarkFlagRequired("ca-cert"); err != nil {
		panic("accord: " + err.Error()) // the flag was added above
	}
	cmd.RunE = steer.verb(func(ctx context.Context, args []string) error {
		data, err := os.ReadFile(roots)
		if err != nil {
			return fault.As(fault.Input, err)
		}
		if err := steer.client.Trust(ctx, args[0], data); err != nil {
			return err
		}
		if steer.json {
			return nil
		}
		return quote.Fprintf(steer.stdout, "%s is admitted by its own authority: %s, %s and the federation's %s go into its identity folder\n", args[0], pki.CertFile, pki.KeyFile, pki.RootsFile)
	})
	return cmd
}
