package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// oddNetwork compares a network that no kernel was made for with the reference.
func (b *bench) oddNetwork(ctx context.Context) ([]page.Row, error) {
	var rows []page.Row
	for _, threads := range []int{2, 1} {
		number := strconv.Itoa(threads)
		odd := &setting{args: b.trainArgs("--model", b.odd, "--batch", "7", "--threads", number)}
		reference := &setting{args: b.trainArgs("--batch", "32", "--threads", number)}
		if err := b.turns(ctx, odd, reference); err != nil {
			return nil, err
		}
		row := figure(page.Row{
			What: fmt.Sprintf("5×5, stride 2, same padding, 17 channels, batch 7, dense, %s: share of the peak beside the reference network's in batches of 32",
				plural(threads, "thread")),
			Kernel: odd.results[0].Kernel,
			Command: b.command("odd", append(append([]string{"accord"}, odd.args...), "--json"),
				append(append([]string{"accord"}, reference.args...), "--json")),
		}, bar{.5, 0, percent}, over(odd.figures(share), reference.figures(share)))
		row.Figure += fmt.Sprintf(" (%.0f of %.0f %%)", 100*median(odd.figures(share)), 100*median(reference.figures(share)))
		rows = append(rows, row)
	}
	return rows, nil
}
