package main

import (
	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/version"
)

func newVersionCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Tell what this binary was built from",
		Example: "  accord version --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info := version.Get()
			if asJSON {
				return quote.Encode(cmd.OutOrStdout(), info)
			}
			return quote.Fprintf(cmd.OutOrStdout(), "accord %s %s %s/%s\n", info, info.Go, info.OS, info.Arch)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}
