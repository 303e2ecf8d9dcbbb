package main

import "github.com/spf13/cobra"

func newDataCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "data",
		Short:   "Look at, divide and fetch data sets",
		Example: "  accord data stats --dataset digits",
	}
	cmd.AddCommand(newDataStatsCmd(), newDataPartitionCmd(), newDataFetchCmd())
	return cmd
}
