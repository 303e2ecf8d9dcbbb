package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	stormRounds = 12
	maxCopies   = 8
	// settles is how long a run may take once nothing disturbs it any more: its
	// rounds, a lease, and pauses between tries, but no window.
	settles = 90 * time.Second
)

// storm is one go: the coordinator is killed again and again, and older copies of
// its folder are put back in between.
type storm struct {
	*party
	random *rand.Rand
	copies []string
	run    int // number of the run that goes on, or would

	restored, restores int
	// former holds the tasks that were answered in a life which a copy put an end
	// to. No later life may count an answer to them.
	former map[string]bool
}

// storm kills the coordinator b.kills times.
func (b *bench) storm() (_ string, err error) {
	p, err := found(b, filepath.Join(b.accord.Dir, "storm"), b.accord.Path, b.accord.Path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	if err := p.attend(names...); err != nil {
		return "", err
	}
	s := &storm{party: p, random: rand.New(rand.NewPCG(b.seed, 0)), run: 1, former: map[string]bool{}}
	for kill := range b.kills {
		if err := s.strike(); err != nil {
			return "", fmt.Errorf("kill %d (seed %d): %w", kill+1, b.seed, err)
		}
	}
	return s.settle(b)
}

func (s *storm) name() string { return fmt.Sprintf("storm-%d", s.run) }

// strike lets the federation work for a moment, kills the coordinator, perhaps
// puts an older copy of its folder back, and starts it again.
func (s *storm) strike() error {
	if err := s.work(); err != nil {
		return err
	}
	time.Sleep(time.Duration(s.random.IntN(500)) * time.Millisecond)
	if err := s.kill(); err != nil {
		return err
	}
	switch {
	case s.random.IntN(4) == 0:
		if err := s.save(); err != nil {
			return err
		}
	case s.random.IntN(6) == 0 && len(s.copies) > 0:
		if err := s.putBack(); err != nil {
			return err
		}
	}
	if err := s.begin(); err != nil {
		return err
	}
	return s.restoreIfAsked()
}

// work makes sure that a run goes on.
func (s *storm) work() error {
	var state standing
	err := s.steer(&state, "run", "show", s.name())
	if err == nil && state.ended() {
		if state.Phase != "completed" {
			return fmt.Errorf("run %s %s: %s", s.name(), state.Phase, state.Reason)
		}
		s.run++
		err = os.ErrNotExist
	}
	if err == nil {
		return nil
	}
	return s.submit(s.name(), stormRounds)
}

// save keeps a copy of the coordinator's folder.
func (s *storm) save() error {
	to := filepath.Join(s.dir, fmt.Sprintf("copy-%d", s.random.Uint64()))
	if err := os.CopyFS(to, os.DirFS(s.state())); err != nil {
		return err
	}
	s.copies = append(s.copies, to)
	if len(s.copies) > maxCopies {
		oldest := s.copies[0]
		s.copies = s.copies[1:]
		return os.RemoveAll(oldest)
	}
	return nil
}

// putBack takes the folder away and puts an older copy in its place.
func (s *storm) putBack() error {
	before, err := s.answered()
	if err != nil {
		return err
	}
	from := s.copies[s.random.IntN(len(s.copies))]
	if err := errors.Join(os.RemoveAll(s.state()), os.CopyFS(s.state(), os.DirFS(from))); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(s.state(), "journal.key"), 0o600); err != nil { // CopyFS adds write and read for all
		return err
	}
	after, err := s.answered()
	if err != nil {
		return err
	}
	for id := range before {
		if _, kept := after[id]; !kept {
			s.former[id] = true
		}
	}
	s.restored++
	// The copy may be from an earlier run.
	s.run = 1
	return nil
}

// answered returns the ids of the tasks whose answers the journal counts.
func (s *storm) answered() (map[string]bool, error) {
	file, err := os.Open(filepath.Join(s.state(), "journal.jsonl"))
	if err != nil {
		return nil, err
	}
	defer file.Close() // only read
	ids := map[string]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var record struct {
			Kind string `json:"kind"`
			Data struct {
				Task    string `json:"task"`
				Outcome string `json:"outcome"`
			} `json:"data"`
		}
		if json.Unmarshal(lines.Bytes(), &record) == nil && record.Kind == "answered" && record.Data.Outcome == "valid" {
			ids[record.Data.Task] = true
		}
	}
	return ids, lines.Err()
}

// restoreIfAsked runs accord coordinator restore when the coordinator asks for
// it, which it does once a site has shown a later checkpoint.
func (s *storm) restoreIfAsked() error {
	if s.restored == s.restores {
		return nil
	}
	for range 50 {
		if len(s.coordinator.Entries(restoreWanted)) > 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.restores = s.restored
	if len(s.coordinator.Entries(restoreWanted)) == 0 {
		return nil // no site knows more than the copy
	}
	if err := s.kill(); err != nil {
		return err
	}
	if _, err := s.call(s.center, "coordinator", "restore", "-f", s.config()); err != nil {
		return err
	}
	return s.begin()
}

// restoreWanted is what a coordinator logs that has stopped offering.
const restoreWanted = "the journal is older than what a site has seen"

// settle waits until the last run is complete, and compares all with the same
// runs undisturbed.
func (s *storm) settle(b *bench) (string, error) {
	if err := s.work(); err != nil {
		return "", err
	}
	began := time.Now()
	if _, err := s.complete(s.name(), settles); err != nil {
		return "", err
	}
	took := time.Since(began)
	counted, err := s.answered()
	if err != nil {
		return "", err
	}
	for id := range counted {
		if s.former[id] {
			return "", fmt.Errorf("an answer to task %s, of a life before, is in the journal", id)
		}
	}
	var list struct {
		Runs []struct{ Name, Phase, Model string } `json:"runs"`
	}
	if err := s.steer(&list, "run", "list"); err != nil {
		return "", err
	}
	runs := list.Runs
	slices.Reverse(runs)
	for _, r := range runs[:min(len(runs), 3)] {
		want, err := undisturbed(b, r.Name, stormRounds)
		if err != nil {
			return "", err
		}
		if r.Phase != "completed" || r.Model != want {
			return "", fmt.Errorf("run %s: %s with model %.12s, undisturbed %.12s", r.Name, r.Phase, r.Model, want)
		}
	}
	return fmt.Sprintf("%d kills, %d older copies put back, %d runs complete with the undisturbed digest; the last took %.1f s", b.kills, s.restored, len(runs), took.Seconds()), nil
}
