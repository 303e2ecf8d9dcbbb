package main

import (
	"context"
	"fmt"

	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// fold measures the aggregator beside the machine's memory.
func (b *bench) fold(ctx context.Context) ([]page.Row, error) {
	sizes := []struct {
		what string
		args []string
	}{
		{"8 updates of 64 MiB", []string{"--updates", "8", "--parameters", "16777216"}},
		{"50 updates of 4 MB", []string{"--updates", "50", "--parameters", "1000000"}},
	}
	shares, rates := make([][]float64, len(sizes)), make([][]float64, len(sizes))
	family := ""
	for range b.repeats {
		for i, size := range sizes {
			var r struct {
				Kernel string  `json:"kernel"`
				Rate   float64 `json:"gb_per_second"`
				Share  float64 `json:"share_of_read"`
			}
			if err := b.accord.JSON(ctx, &r, nil, foldArgs(size.args)...); err != nil {
				return nil, err
			}
			if err := positive("accord bench aggregate", r.Rate, r.Share); err != nil {
				return nil, err
			}
			family = r.Kernel
			shares[i], rates[i] = append(shares[i], r.Share), append(rates[i], r.Rate)
			if err := b.tell("%.1f GB/s, %.0f %% of reading", r.Rate, 100*r.Share); err != nil {
				return nil, err
			}
		}
	}
	var rows []page.Row
	for i, size := range sizes {
		row := figure(page.Row{
			What: "fold of " + size.what + ", 2 threads, beside reading them", Kernel: family,
			Command: b.command("fold", append(append([]string{"accord"}, foldArgs(size.args)...), "--json")),
		}, bar{.6, .9, percent}, shares[i])
		row.Figure += fmt.Sprintf(", %.0f GB/s", median(rates[i]))
		rows = append(rows, row)
	}
	return rows, nil
}

func foldArgs(size []string) []string {
	return append([]string{"bench", "aggregate", "--threads", "2"}, size...)
}
