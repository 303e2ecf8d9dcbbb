package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// median of at least one value.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

// Units of bars and figures.
const (
	times   = "×"
	percent = " %" // of 1
	rate    = " samples/s"
)

// show writes a figure with so many digits behind the point.
func show(v float64, unit string, digits int) string {
	if unit == percent {
		v *= 100
	}
	return fmt.Sprintf("%.*f%s", digits, v, unit)
}

// bar is what a figure must reach, and what it would do well to reach, 0 for
// nothing.
type bar struct {
	want, stretch float64
	unit          string
}

func (b bar) String() string {
	number := func(v float64) string {
		if b.unit == percent {
			v *= 100
		}
		return fmt.Sprintf("%g%s", v, b.unit)
	}
	text := "≥ " + number(b.want)
	if b.stretch > 0 {
		text += " (stretch " + number(b.stretch) + ")"
	}
	return text
}

// judge enters the bar, and whether a figure reaches it, in a row.
func (b bar) judge(r page.Row, figure float64) page.Row {
	r.Bar, r.Holds, r.Stretch = b.String(), figure >= b.want, b.stretch > 0 && figure >= b.stretch
	return r
}

// duel is ours and a peer in turns.
type duel struct {
	peer         string // its name and version
	ours, theirs []float64
	ratios       []float64 // how many times as fast ours was, turn by turn
}

func (d *duel) add(ours, theirs, ratio float64) {
	d.ours, d.theirs, d.ratios = append(d.ours, ours), append(d.theirs, theirs), append(d.ratios, ratio)
}

// against makes a row of duels: its ratio is that of the peer that ours beats by
// least, and which the others follow. Figures have digits behind the point.
func against(r page.Row, b bar, duels []duel, unit string, digits int) page.Row {
	duels = slices.SortedStableFunc(slices.Values(duels), func(a, b duel) int {
		if median(a.ratios) < median(b.ratios) {
			return -1
		}
		return 1
	})
	best := duels[0]
	r.Figure = show(median(best.ours), unit, digits)
	var peers []string
	for _, d := range duels {
		peers = append(peers, d.peer+": "+show(median(d.theirs), unit, digits))
	}
	r.Peer = strings.Join(peers, "; ")
	r.Ratio = spread(best.ratios)
	return b.judge(r, median(best.ratios))
}

// spread is the median of ratios and, of several, the lowest and the highest.
func spread(ratios []float64) string {
	text := show(median(ratios), times, 1)
	if len(ratios) > 1 {
		text += fmt.Sprintf(" (%.1f to %.1f)", slices.Min(ratios), slices.Max(ratios))
	}
	return text
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
