package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/accord-fl/accord/internal/kernel"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// oddNetwork compares a network that no kernel was made for with the reference.
func (b *bench) oddNetwork(ctx context.Context) ([]page.Row, error) {
	var rows []page.Row
	for _, family := range families(kernel.Family()) {
		for _, threads := range []int{2, 1} {
			row, err := b.oddBesideReference(ctx, family, threads)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (b *bench) oddBesideReference(ctx context.Context, family string, threads int) (page.Row, error) {
	number := strconv.Itoa(threads)
	odd := &setting{family: family, args: b.trainArgs("--model", b.odd, "--batch", "7", "--threads", number)}
	reference := &setting{family: family, args: b.trainArgs("--batch", "32", "--threads", number)}
	if err := b.turns(ctx, odd, reference); err != nil {
		return page.Row{}, err
	}
	forced := []string{kernel.Environment + "=" + family, "accord"}
	row := figure(page.Row{
		What: fmt.Sprintf("5×5, stride 2, same padding, 17 channels, batch 7, dense, %s: share of the peak beside the reference network's in batches of 32",
			plural(threads, "thread")),
		Kernel: family,
		Command: b.command("odd", append(append(slices.Clip(forced), odd.args...), "--json"),
			append(append(slices.Clip(forced), reference.args...), "--json")),
	}, bar{.5, 0, percent}, over(odd.figures(share), reference.figures(share)))
	row.Figure += fmt.Sprintf(" (%.0f of %.0f %%)", 100*median(odd.figures(share)), 100*median(reference.figures(share)))
	return row, nil
}
