package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/accord-fl/accord/scripts/bench/internal/federation"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// How long a training and a round may take while a site gets lost.
const (
	lostTraining = 15 * time.Second
	lostDeadline = time.Minute
)

// lost is how soon a site is found missing in mid-round, and what becomes of
// the round.
func (b *bench) lost() ([]page.Row, error) {
	var rows []page.Row
	for _, way := range []struct {
		what   string
		within time.Duration
		do     func(*federation.Process, *federation.Line) error
	}{
		{"killed", 5 * time.Second, func(p *federation.Process, _ *federation.Line) error { return p.Kill() }},
		{"stopped (SIGSTOP)", 15 * time.Second, func(p *federation.Process, _ *federation.Line) error { return p.Pause() }},
		{"cut off (nothing is delivered any more)", 15 * time.Second, func(_ *federation.Process, l *federation.Line) error { l.Cut(); return nil }},
	} {
		noticed, round, err := b.lose(way.do)
		if err != nil {
			return nil, fmt.Errorf("a site is %s: %w", way.what, err)
		}
		rows = append(rows, page.Row{
			What: "a site of three is " + way.what + " in mid-round: until it is noticed and replaced",
			Bar:  fmt.Sprintf("< %.0f s, no round beyond its deadline (Flower 1.41: the round hangs 57 s)", way.within.Seconds()),
			Figure: fmt.Sprintf("%.1f s; the round took %.1f s, trainings %.0f s, its deadline was %.0f s",
				noticed.Seconds(), round.Seconds(), lostTraining.Seconds(), lostDeadline.Seconds()),
			Holds: noticed < way.within && round < lostDeadline, Command: "go run ./scripts/bench -only lost",
		})
	}
	return rows, nil
}

// lose starts a round of three among four sites, and does something to one of
// the three.
func (b *bench) lose(do func(*federation.Process, *federation.Line) error) (noticed, round time.Duration, err error) {
	f, err := federation.Start(b.ctx, b.accord)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lines := map[string]*federation.Line{}
	for _, name := range []string{"a", "b", "c", "d"} {
		line, err := federation.NewLine(f.Address)
		if err != nil {
			return 0, 0, err
		}
		defer func() { err = errors.Join(err, line.Close()) }()
		lines[name] = line
		if err := f.Join(name, line.Address(), lostTraining); err != nil {
			return 0, 0, err
		}
	}
	run := fmt.Sprintf("name: lost\nmodel: reference\nrounds: 1\nmin_sites: 4\nfraction: 0.75\nwindow: {deadline: %s}\n", lostDeadline)
	if err := f.Submit(run); err != nil {
		return 0, 0, err
	}
	begun, err := f.Coordinator.Await(b.ctx, "cohort selected", 0)
	if err != nil {
		return 0, 0, err
	}
	before, err := f.Run("lost")
	if err != nil || len(before.Cohort) != 3 {
		return 0, 0, fmt.Errorf("a cohort of %v (%w), want 3", before.Cohort, err)
	}
	name := before.Cohort[0]
	if _, err := f.Sites[name].Await(b.ctx, "task begins", 0); err != nil {
		return 0, 0, err
	}
	done := time.Now()
	if err := do(f.Sites[name], lines[name]); err != nil {
		return 0, 0, err
	}
	replaced, err := f.Coordinator.Await(b.ctx, "participant replaced", 0)
	if err != nil {
		return 0, 0, err
	}
	ended, err := f.Coordinator.Await(b.ctx, "run ended", 0)
	if err != nil {
		return 0, 0, err
	}
	after, err := f.Run("lost")
	if err != nil || after.Phase != "completed" || slices.Contains(before.Cohort, replaced.Participant) {
		return 0, 0, fmt.Errorf("the run is %s (%s), %s replaced %s: %w", after.Phase, after.Reason, replaced.Participant, name, err)
	}
	return replaced.Time.Sub(done), ended.Time.Sub(begun.Time), nil
}
