package main

import "github.com/spf13/cobra"

func newBenchAggregateCmd() *cobra.Command {
	return &cobra.Command{Use: "aggregate"}
}
