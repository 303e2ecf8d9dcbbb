package main

import (
	"fmt"
	"time"

	"github.com/accord-fl/accord/internal/report"
)

// interval is how often a cell under way is looked at; tests look more often.
var interval = 15 * time.Second

// follow shows the metrics at path, as they grow, until ended is closed.
// Metrics that are not there yet are empty.
func follow(path string, ended <-chan struct{}, show func([]report.Round)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if rounds, err := report.ReadMetrics(path); err == nil {
			show(rounds)
		} else {
			show(nil)
		}
		select {
		case <-ended:
			return
		case <-ticker.C:
		}
	}
}

// progress tells how a cell gets on.
type progress struct {
	cell  cell
	title string
	after int64 // samples that the cells after this one cost at most
	say   func(format string, args ...any)

	begun time.Time // of this go
	first int       // rounds that earlier goes made
	last  int       // rounds told of
}

// show hears of the cell's rounds so far.
func (p *progress) show(rounds []report.Round) {
	now := time.Now()
	if p.begun.IsZero() {
		p.begun, p.first, p.last = now, len(rounds), len(rounds)
		p.say("%s: at most %d rounds, %d made", p.title, p.cell.limit(), len(rounds))
	}
	if len(rounds) == p.last {
		return
	}
	p.last = len(rounds)
	var r result
	r.count(rounds)
	p.say("%s: round %d of %d, best %s, %s", p.title, p.last, p.cell.limit(), percent(r.Best), p.left(now))
}

// left tells how much longer the cell and all cells take at most.
func (p *progress) left(now time.Time) string {
	samples := int64(p.last-p.first) * perRound * int64(p.cell.epochs)
	rate := float64(samples) / now.Sub(p.begun).Seconds()
	rest := int64(p.cell.limit()-p.last) * perRound * int64(p.cell.epochs)
	return fmt.Sprintf("at most %s to go, %s for all cells", duration(rest, rate), duration(rest+p.after, rate))
}
