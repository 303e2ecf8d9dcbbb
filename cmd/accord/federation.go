package main

import "github.com/spf13/cobra"

func newFederationCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "federation",
		Short:   "Make and rotate a federation's certificates; see who was refused",
		Example: "  accord federation init heart --address fl.example.org:7443\n  accord federation refusals",
	}
	cmd.AddCommand(newFederationInitCmd(), newFederationAdminCmd(), newFederationRotateCmd(), newFederationRefusalsCmd())
	return cmd
}
