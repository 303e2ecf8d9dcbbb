package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
)

// bench is the state of one go at the cells.
type bench struct {
	cells      []cell // in the order to measure them in
	only       *regexp.Regexp
	maxSamples int64 // that a cell may cost; 0: no limit
	results    *results
	out        string // folder of the results
	cache      string // folder of run folders
	binary     string
	federation []string // flags of accord that are the same for all cells
	hidden     string   // path to leave out of the commands that are told
	log        io.Writer
}

// wanted reports whether the command line asks for the cell.
func (b *bench) wanted(c cell) bool {
	return b.only.MatchString(c.name()) && (b.maxSamples == 0 || c.cost() <= b.maxSamples)
}

// open lists the cells that are still to be measured.
func (b *bench) open() []cell {
	var open []cell
	for _, c := range b.cells {
		if _, done := b.results.find(c); b.wanted(c) && !done {
			open = append(open, c)
		}
	}
	return open
}

// run measures what is still to be measured.
func (b *bench) run(ctx context.Context) error {
	if err := b.results.save(b.out); err != nil { // a bad folder shows at once
		return err
	}
	open := b.open()
	for i, c := range open {
		c, ok := b.results.settled(c)
		if !ok {
			b.say("%s: left out, its column's learning rates have not all been tried yet", c.name())
			continue
		}
		p := progress{cell: c, title: fmt.Sprintf("cell %d of %d, %s", i+1, len(open), c.name()), say: b.say}
		for _, later := range open[i+1:] {
			p.after += later.cost()
		}
		r, err := b.measure(ctx, c, p.show)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name(), err)
		}
		b.results.Cells[c.name()] = r
		if err := b.results.save(b.out); err != nil {
			return err
		}
		b.say("%s: %s; %d rounds, %.0f s in training", p.title, r.figure(), r.Rounds, r.Seconds)
	}
	return nil
}

// say tells how things go. It is a courtesy: when it cannot be written, so be
// it.
func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.log, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}

// list prints the cells in their order.
func (b *bench) list(w io.Writer) error {
	rate, how := b.results.speed()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var lines strings.Builder
	lines.WriteString("\tcell\trounds at most\tmillion samples at most\ttime at most\t\n")
	var all, rest int64
	for i, c := range b.cells {
		if !b.wanted(c) {
			continue
		}
		state := ""
		if r, ok := b.results.find(c); ok {
			state = r.figure()
		} else {
			rest += c.cost()
		}
		if settled, ok := b.results.settled(c); ok {
			c = settled
		}
		all += c.cost()
		fmt.Fprintf(&lines, "%d\t%s\t%d\t%.1f\t%s\t%s\n", i+1, c.name(), c.limit(), float64(c.cost())/1e6, duration(c.cost(), rate), state)
	}
	fmt.Fprintf(&lines, "\tall of these\t\t%.1f\t%s\t\n", float64(all)/1e6, duration(all, rate))
	fmt.Fprintf(&lines, "\tstill to be measured\t\t%.1f\t%s\t\n", float64(rest)/1e6, duration(rest, rate))
	if _, err := io.WriteString(t, lines.String()); err != nil {
		return err
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nTimes are for %.0f samples a second, %s. Most runs end earlier.\n", rate, how)
	return err
}

// duration is how long samples take at a rate a second.
func duration(samples int64, rate float64) time.Duration {
	return (time.Duration(float64(samples)/rate) * time.Second).Round(time.Second)
}
