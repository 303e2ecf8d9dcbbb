package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	// former holds the tasks that were asked and answered in a life which a copy
	// put an end to, and that the copy knows nothing of, with the nonces of their
	// attempts. No later life may count an answer to them.
	former map[string]string
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
	s := &storm{party: p, random: rand.New(rand.NewPCG(b.seed, 0)), run: 1, former: map[string]string{}}
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
	older := false
	switch {
	case s.random.IntN(4) == 0:
		if err := s.save(); err != nil {
			return err
		}
	case s.random.IntN(6) == 0 && len(s.copies) > 0:
		if err := s.putBack(); err != nil {
			return err
		}
		older = true
	}
	if err := s.begin(); err != nil {
		return err
	}
	return s.restoreIfAsked(older)
}

// work makes sure that a run goes on.
func (s *storm) work() error {
	for {
		var state standing
		err := s.steer(&state, "run", "show", s.name())
		switch {
		case err != nil && strings.Contains(err.Error(), "there is no run of that name"):
			return s.submit(s.name(), stormRounds)
		case err != nil || !state.ended():
			return err
		case state.Phase != "completed":
			return fmt.Errorf("run %s %s: %s", s.name(), state.Phase, state.Reason)
		}
		s.run++
	}
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
	before, _, err := s.answered()
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
	_, asked, err := s.answered()
	if err != nil {
		return err
	}
	maps.Copy(s.former, before)
	maps.DeleteFunc(s.former, func(_, nonce string) bool { return asked[nonce] }) // the copy may be of a life that ended long ago
	s.restored++
	// The copy may be from an earlier run.
	s.run = 1
	return nil
}

// answered returns the ids of the tasks whose answers the journal counts, each with
// the nonce of the attempt that it is of, and the nonces of all attempts.
func (s *storm) answered() (tasks map[string]string, attempts map[string]bool, err error) {
	file, err := os.Open(filepath.Join(s.state(), "journal.jsonl"))
	if err != nil {
		return nil, nil, err
	}
	defer file.Close() // only read
	tasks, attempts = map[string]string{}, map[string]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var record struct {
			Kind string `json:"kind"`
			Data struct {
				Task    string `json:"task"`
				Outcome string `json:"outcome"`
				Nonce   string `json:"nonce"`
			} `json:"data"`
		}
		switch err := json.Unmarshal(lines.Bytes(), &record); {
		case err != nil: // a mark, or the end that a kill has torn
		case record.Kind == "cohort_selected":
			attempts[record.Data.Nonce] = true
		case record.Kind == "answered" && record.Data.Outcome == "valid":
			id := record.Data.Task
			if nonce := id[strings.LastIndexByte(id, '/')+1:]; attempts[nonce] { // otherwise it was late
				tasks[id] = nonce
			}
		}
	}
	return tasks, attempts, lines.Err()
}

// restoreIfAsked runs accord coordinator restore when the coordinator asks for
// it, which it does once a site has shown a later checkpoint, and whenever it
// starts until then. After an older copy was put back it waits until all sites
// attend.
func (s *storm) restoreIfAsked(older bool) error {
	for range 400 {
		if !older || s.asked() || len(s.coordinator.Entries("participant attached")) >= len(names) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if !s.asked() {
		return nil // no site knows more than the copy
	}
	s.restores++
	if err := s.kill(); err != nil {
		return err
	}
	if _, err := s.call(s.center, "coordinator", "restore", "-f", s.config()); err != nil {
		return err
	}
	return s.begin()
}

func (s *storm) asked() bool { return len(s.coordinator.Entries(restoreWanted)) > 0 }

// restoreWanted is what a coordinator logs that has stopped offering.
const restoreWanted = "the journal lacks records that a site has seen: nothing is offered"

// settle waits until the last run is complete, and compares all with the same
// runs undisturbed.
func (s *storm) settle(b *bench) (string, error) {
	if err := errors.Join(s.work(), s.restoreIfAsked(true)); err != nil {
		return "", err
	}
	began := time.Now()
	if _, err := s.complete(s.name(), settles); err != nil {
		return "", err
	}
	took := time.Since(began)
	counted, _, err := s.answered()
	if err != nil {
		return "", err
	}
	for id := range counted {
		if _, ended := s.former[id]; ended {
			return "", fmt.Errorf("an answer to task %s, of a life before, is in the journal", id)
		}
	}
	var list struct {
		Runs []struct {
			Name, Phase, Model string
			Counts             struct{ Accepted int }
		} `json:"runs"`
	}
	if err := s.steer(&list, "run", "list"); err != nil {
		return "", err
	}
	runs := list.Runs
	slices.Reverse(runs)
	for _, r := range runs {
		if want := stormRounds * len(names); r.Counts.Accepted != want {
			return "", fmt.Errorf("run %s: %d answers were counted, want %d", r.Name, r.Counts.Accepted, want)
		}
	}
	for _, r := range runs[:min(len(runs), 3)] {
		want, err := undisturbed(b, r.Name, stormRounds)
		if err != nil {
			return "", err
		}
		if r.Phase != "completed" || r.Model != want {
			return "", fmt.Errorf("run %s: %s with model %.12s, undisturbed %.12s", r.Name, r.Phase, r.Model, want)
		}
	}
	return fmt.Sprintf("%d kills, %d older copies put back, %d restores asked for, %d runs complete, the last with the undisturbed digest; that took %.1f s", b.kills, s.restored, s.restores, len(runs), took.Seconds()), nil
}
