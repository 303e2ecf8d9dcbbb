package page

import (
	"fmt"
	"strings"
)

const head = "# Benchmarks\n\nWritten by `go run ./scripts/bench` and `go run ./scripts/bench/peers`; do not edit. Machines differ and are noisy: run it on yours.\n\n"

// speedHead comes before the table of rows that name their kernels.
const speedHead = `
## Speed

Ours and a peer take turns. Figures are medians; a ratio is the median of the
turns', behind it the lowest and the highest. The best peer is the one that ours
beats by least.

`

// page is the text of benchmarks.md.
func (r *Results) page() string {
	var plain, speed, notes strings.Builder
	for _, name := range order {
		done, ok := r.Measured[name]
		if !ok {
			continue
		}
		command := ""
		for _, row := range done.Rows {
			if row.Kernel == "" {
				line(&plain, row.What, row.Bar, row.Figure, row.holds())
			} else {
				line(&speed, row.What, row.Bar, row.Figure, row.Peer, row.Ratio, row.Kernel, row.holds())
			}
			if row.Command != command {
				command = row.Command
				fmt.Fprintf(&notes, "- %s: %s, %s\n\n      %s\n\n", name, done.Machine, done.Date, strings.ReplaceAll(command, "\n", "\n      "))
			}
		}
	}
	text := head + "| what | bar | measured | holds |\n|---|---|---|---|\n" + plain.String()
	if speed.Len() > 0 {
		text += speedHead + "| what | bar | ours | best peer | ratio | kernels | holds |\n|---|---|---|---|---|---|---|\n" + speed.String()
	}
	return text + "\nWhere, when and how:\n\n" + notes.String()
}

// line writes a line of a table; cells without text get a dash.
func line(b *strings.Builder, cells ...string) {
	for _, cell := range cells {
		if cell == "" {
			cell = "–"
		}
		b.WriteString("| " + cell + " ")
	}
	b.WriteString("|\n")
}

func (r Row) holds() string {
	switch {
	case !r.Holds:
		return "**no**"
	case r.Stretch:
		return "yes, stretch too"
	}
	return "yes"
}

// line is the row for people who watch.
func (r Row) line() string {
	text := r.What + ": " + r.Figure
	if r.Peer != "" {
		text += ", " + r.Ratio + " as fast as " + r.Peer
	}
	if r.Kernel != "" {
		text += ", kernels " + r.Kernel
	}
	return text + " (bar: " + r.Bar + ")"
}
