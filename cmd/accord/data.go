package main

import "github.com/spf13/cobra"

func newDataCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "data",
		Short:   "Look at, divide and fetch data sets",
		Example: "  accord data fetch mnist --out data/mnist\n  accord data stats --dataset mnist --data data/mnist\n  accord data partition --dataset mnist --data data/mnist --sites 4 --out data/shards",
	}
	cmd.AddCommand(newDataStatsCmd(), newDataPartitionCmd(), newDataFetchCmd())
	return cmd
}
