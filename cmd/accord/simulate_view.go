package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/term"
	"github.com/accord-fl/accord/model/train"
)

// simulateView shows how a simulation gets on.
type simulateView struct {
	term.Progress

	mu       sync.Mutex
	snapshot term.Snapshot
	seen     map[string]int64 // samples, by site, of the training under way
	samples  int64            // since begun
	begun    time.Time
}

func newSimulateView(w io.Writer, cfg config.Run) *simulateView {
	title := fmt.Sprintf("%s: %d sites train together", title(cfg), cfg.Simulation.Sites)
	if cfg.Simulation.Baselines { // the time left is not all of it
		title = "1/2 " + title
	}
	v := &simulateView{
		Progress: term.New(w, term.Options{Title: title, Unit: "round", Parts: "sites"}),
		snapshot: term.Snapshot{Phase: "preparing", Round: 1, Rounds: cfg.Rounds},
		seen:     map[string]int64{}, begun: time.Now(),
	}
	v.Update(v.snapshot)
	return v
}

// observe hears of each event of the run.
func (v *simulateView) observe(s round.State, e round.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := &v.snapshot
	now.Phase, now.Round, now.Rounds = phaseWord(s.Phase), s.Round, s.Config.Rounds
	now.Measuring = s.Release != nil && s.Release.Round < s.Round
	now.Total = int64(len(s.Cohort()))
	now.Done = now.Total - int64(s.Count(round.Open))
	if last, ok := s.Published.Newest(); ok && last.Accuracy != nil {
		now.Measured, now.Accuracy, now.Loss = last.Round, *last.Accuracy, 0
		if last.Loss != nil {
			now.Loss = *last.Loss
		}
	}
	switch e := e.(type) {
	case round.CohortSelected:
		clear(v.seen)
		if v.samples == 0 {
			v.begun = time.Now()
		}
	case round.Answered:
		if t, ok := s.Task(e.Task); ok && t.Status != round.Accepted {
			v.Line(fmt.Sprintf("round %d: %s: %s", s.Round, e.Participant, t.Reason))
		}
	}
	if s.Phase != round.Publishing { // it is over in no time, and then there is an accuracy to show
		v.Update(*now)
	}
}

// phaseWord says in a word what a phase does.
func phaseWord(p round.Phase) string {
	if p == round.Exchanging {
		return "training"
	}
	return string(p)
}

// trained hears of each step of a site's training.
func (v *simulateView) trained(site string, p train.Progress) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if p.Samples < v.seen[site] {
		v.seen[site] = 0 // the site has begun another training
	}
	v.samples += p.Samples - v.seen[site]
	v.seen[site] = p.Samples
	if elapsed := time.Since(v.begun).Seconds(); elapsed > 0 {
		v.snapshot.Rate = float64(v.samples) / elapsed
	}
	v.Update(v.snapshot)
}

// title names a run: by its data, unless it was given a name of its own.
func title(cfg config.Run) string {
	if kind, _, _ := strings.Cut(cfg.Simulation.Dataset, ":"); cfg.Name == kind {
		return dataTitle(cfg.Simulation.Data)
	}
	return cfg.Name
}

// baselineView shows how far the trainings are that a federation is compared
// with. Each counts by the images that it trains on.
type baselineView struct {
	term.Progress

	mu     sync.Mutex
	images map[string]int     // by site; "" is all data in one place
	share  map[string]float64 // of each training that is done
	total  int
}

func newBaselineView(w io.Writer, shards []shard, all int) *baselineView {
	v := &baselineView{
		Progress: term.New(w, term.Options{Title: "2/2 to compare: sites alone, all data", Parts: "images learned"}),
		images:   map[string]int{"": all}, share: map[string]float64{}, total: all,
	}
	for _, s := range shards {
		v.images[s.name] = s.view.Len()
		v.total += s.view.Len()
	}
	v.Update(term.Snapshot{Total: int64(v.total)})
	return v
}

// trained hears of each step of a training; site is "" for all data.
func (v *baselineView) trained(site string, p train.Progress) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.share[site] = float64(p.Step) / float64(p.Steps)
	done := 0.0
	for site, share := range v.share {
		done += share * float64(v.images[site])
	}
	v.Update(term.Snapshot{Done: int64(done), Total: int64(v.total)})
}
