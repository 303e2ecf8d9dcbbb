package main

import (
	"slices"

	"github.com/spf13/cobra"
)

func newBenchCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast this machine trains and aggregates",
		Long: `Measure how fast this machine trains and aggregates, beside what it could do at
best. Machines are noisy: the measurements alternate, and medians are printed.`,
		Example: "  accord bench train --threads 2\n  accord bench aggregate",
	}
	cmd.AddCommand(newBenchTrainCmd(), newBenchAggregateCmd())
	return cmd
}

// median returns the middle of at least one value, which it sorts.
func median(values []float64) float64 {
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}
