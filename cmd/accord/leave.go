package main

import (
	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/participant"
)

func newLeaveCmd() *cobra.Command {
	var file, reason string
	cmd := &cobra.Command{
		Use:   "leave",
		Short: "Leave a federation, from the site",
		Long: `End this site's access to its federation: the coordinator closes its streams and
takes nothing from it any more. What it has contributed stays in the models that
are published. Another token lets it join again.`,
		Example: "  accord leave -f hospital-a/participant.yaml --reason \"study ended\"",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.LoadParticipant(file)
			if err != nil {
				return err
			}
			if cfg.Identity == "" {
				return fault.Inputf("%s: without an identity there is nothing to leave; stop the participant", file)
			}
			options := participant.DefaultOptions()
			options.Name, options.Coordinator = cfg.Name, cfg.Coordinator
			if options.Credential, err = pki.OpenCredential(cfg.Identity); err != nil {
				return err
			}
			if err := participant.Leave(cmd.Context(), options, reason); err != nil {
				return err
			}
			return quote.Fprintf(cmd.OutOrStdout(), "%s has left the federation\n", cfg.Name)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "the site's configuration, participant.yaml")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for people")
	if err := cmd.MarkFlagRequired("file"); err != nil {
		panic("accord: " + err.Error()) // the flag was added above
	}
	return cmd
}
