package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/report"
)

// Files of the folder of results.
const (
	resultsFile = "fedavg.json"
	pageFile    = "fedavg.md"
)

// result is what came of a cell.
type result struct {
	Rounds   int     `json:"rounds"`           // that were run
	ToTarget *int    `json:"rounds_to_target"` // null: not reached
	Best     float64 `json:"best_accuracy"`
	Diverged bool    `json:"diverged,omitempty"` // the run failed: losses were no numbers
	// Collapsed is the last round whose model did better than guess, of a run
	// that was ended for it; 0 is none.
	Collapsed int `json:"collapsed_after,omitempty"`

	LR      float64 `json:"lr"`
	Seconds float64 `json:"train_seconds"` // without measuring
	Samples int64   `json:"samples"`       // trained on
	Kernel  string  `json:"kernel"`
	Digest  string  `json:"model_digest,omitempty"` // of the last model: who repeats the command gets the same
	Command string  `json:"command"`
}

// count fills in what a run's metrics tell. The best accuracy so far reaches
// the target in the first round whose own accuracy does.
func (r *result) count(rounds []report.Round) {
	timed := 0
	for _, m := range rounds {
		if m.Samples > 0 {
			timed++
		}
		r.Rounds = max(r.Rounds, m.Round)
		r.Seconds += m.TrainSeconds
		r.Samples += m.Samples
		if m.Accuracy == nil {
			continue
		}
		r.Best = max(r.Best, *m.Accuracy)
		if r.ToTarget == nil && *m.Accuracy >= target {
			r.ToTarget = &m.Round
		}
	}
	if timed > 0 { // a round that was resumed tells neither; it took what others took
		r.Seconds *= float64(len(rounds)) / float64(timed)
		r.Samples = r.Samples * int64(len(rounds)) / int64(timed)
	}
	if last, ok := collapse(rounds); ok {
		r.Collapsed = last
	}
}

// A run has collapsed when its model was good, and then guessed in so many rounds in
// a row: with ten digits that is right in about a tenth. Its units are dead, which
// no further training changes.
const (
	good           = 0.5
	guess          = 0.2
	collapseRounds = 100
)

// collapse returns the last round that did better than guess, if the run has
// collapsed.
func collapse(rounds []report.Round) (last int, ok bool) {
	var best float64
	since := 0 // rounds that guessed
	for _, m := range rounds {
		if m.Accuracy == nil {
			continue
		}
		best = max(best, *m.Accuracy)
		if since++; *m.Accuracy >= guess {
			last, since = m.Round, 0
		}
	}
	return last, best >= good && since >= collapseRounds
}

// better reports whether r is a better end than other: in fewer rounds, or where
// neither reached the target, closer to it.
func (r result) better(other result) bool {
	switch {
	case r.ToTarget != nil && other.ToTarget != nil:
		return *r.ToTarget < *other.ToTarget
	case r.ToTarget == nil && other.ToTarget == nil:
		return r.Best > other.Best
	default:
		return r.ToTarget != nil
	}
}

// results are all cells measured so far.
type results struct {
	Cells map[string]result `json:"cells"` // by name
}

func load(path string) (*results, error) {
	r := &results{Cells: map[string]result{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// best returns the learning rate that did best in the group, if all have been
// tried. Of rates that did equally well it is the lowest.
func (r *results) best(g group) (lr float64, ok bool) {
	var best result
	for i, c := range g.candidates() {
		now, ok := r.Cells[c.name()]
		if !ok {
			return 0, false
		}
		if i == 0 || now.better(best) {
			best, lr = now, c.lr
		}
	}
	return lr, true
}

// settled returns the cell with its learning rate, if it is known by now.
func (r *results) settled(c cell) (_ cell, ok bool) {
	if c.lr > 0 {
		return c, true
	}
	best, ok := r.best(c.group)
	if ok {
		c.lr = c.rate(best)
	}
	return c, ok
}

// find returns what came of a cell, with its group's best learning rate if it
// has none of its own.
func (r *results) find(c cell) (found result, ok bool) {
	if c, ok = r.settled(c); !ok {
		return result{}, false
	}
	found, ok = r.Cells[c.name()]
	return found, ok
}

// speed returns the samples a second that cells trained on so far, and how it
// is known.
func (r *results) speed() (rate float64, how string) {
	var samples int64
	var seconds float64
	for _, c := range r.Cells {
		samples += c.Samples
		seconds += c.Seconds
	}
	if seconds == 0 {
		return 40_000, "a guess: nothing has been measured yet"
	}
	return float64(samples) / seconds, "as in the cells measured so far"
}

// save writes the figures for the next time and the page for people.
func (r *results) save(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		atomicfile.WriteBytes(filepath.Join(dir, resultsFile), append(data, '\n')),
		atomicfile.WriteBytes(filepath.Join(dir, pageFile), []byte(r.page())),
	)
}
