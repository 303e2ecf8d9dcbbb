package main

import (
	"fmt"
	"slices"

	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// median of at least one value; the lower one of two.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}

// ratio is a row whose figure is how many times as fast we are, the median of
// runs in turn.
func ratio(what string, b bar, ratios []float64, ours, command string) page.Row {
	m := median(ratios)
	figure := fmt.Sprintf("%s: %.1f×", ours, m)
	if len(ratios) > 1 {
		figure += fmt.Sprintf(" (%.1f to %.1f)", slices.Min(ratios), slices.Max(ratios))
	}
	text := fmt.Sprintf("≥ %g×", b.want)
	if b.stretch > 0 {
		text += fmt.Sprintf(" (stretch %g×)", b.stretch)
	}
	return page.Row{What: what, Bar: text, Figure: figure, Holds: m >= b.want, Command: command}
}

// share is a row whose figure is a share of what is possible.
func share(what string, b bar, shares []float64, command string) page.Row {
	m := median(shares)
	text := fmt.Sprintf("≥ %g %%", 100*b.want)
	if b.stretch > 0 {
		text += fmt.Sprintf(" (stretch %g %%)", 100*b.stretch)
	}
	return page.Row{What: what, Bar: text, Figure: fmt.Sprintf("%.0f %%", 100*m), Holds: m >= b.want, Command: command}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
