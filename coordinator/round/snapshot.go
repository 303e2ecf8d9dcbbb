package round

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// snapshot is a State as EncodeState writes it. What follows from other fields is
// left out; the order in which nothing depends on it is not kept.
type snapshot struct {
	Run        string             `json:"run"`
	Config     Config             `json:"config"`
	Definition json.RawMessage    `json:"definition,omitempty"`
	Phase      Phase              `json:"phase"`
	Round      int                `json:"round"`
	Attempt    int                `json:"attempt"`
	Waited     int                `json:"waited,omitempty"`
	Redone     int                `json:"redone,omitempty"`
	Exchange   int                `json:"exchange,omitempty"`
	Deadline   time.Time          `json:"deadline"`
	Model      string             `json:"model"`
	Release    *Release           `json:"release,omitempty"`
	Resume     Phase              `json:"resume,omitempty"`
	Published  []Version          `json:"published,omitempty"`
	Counts     Counts             `json:"counts"`
	Reason     string             `json:"reason,omitempty"`
	Exchanges  []snapshotExchange `json:"exchanges,omitempty"`
	Cohort     []string           `json:"cohort,omitempty"`
	Nonce      string             `json:"nonce,omitempty"`
	Vacant     []string           `json:"vacant,omitempty"` // seats, the next to be filled first
	Absent     *snapshotAbsent    `json:"absent,omitempty"`
}

type snapshotExchange struct {
	// Around the participant in the tasks' ids. A release that was tried again
	// leaves tasks of an attempt before, so they do not follow from the rest.
	Prefix string `json:"prefix"`
	Suffix string `json:"suffix,omitempty"`
	Tasks  []Task `json:"tasks"` // by participant
}

type snapshotAbsent struct {
	Round   int               `json:"round"`
	Attempt int               `json:"attempt"`
	Named   []snapshotAbsence `json:"named,omitempty"`
	Others  int               `json:"others,omitempty"`
}

type snapshotAbsence struct {
	Participant string `json:"participant"`
	Reason      string `json:"reason,omitempty"`
}

// EncodeState gives a state as JSON, from which DecodeState makes one that goes
// on exactly as s does. Equal states have equal encodings. It costs time and
// bytes in proportion to the run's versions and to the attempt's tasks.
func EncodeState(s State) ([]byte, error) {
	snap := snapshot{
		Run: s.Run, Config: s.Config, Definition: s.Definition, Phase: s.Phase, Round: s.Round, Attempt: s.Attempt, Waited: s.Waited, Redone: s.Redone,
		Exchange: s.Exchange, Deadline: s.Deadline, Model: s.Model, Release: s.Release, Resume: s.Resume, Published: s.Published.All(),
		Counts: s.Counts, Reason: s.Reason, Cohort: s.cohort, Nonce: s.nonce,
	}
	for _, x := range s.exchanges {
		tasks := make([]Task, 0, x.tasks.len())
		for _, t := range x.tasks.all() {
			tasks = append(tasks, *t)
		}
		snap.Exchanges = append(snap.Exchanges, snapshotExchange{x.prefix, x.suffix, tasks})
	}
	for _, seat := range s.vacant.turns.all() {
		snap.Vacant = append(snap.Vacant, seat)
	}
	if a := s.absent; a.round != 0 || a.attempt != 0 {
		snap.Absent = &snapshotAbsent{Round: a.round, Attempt: a.attempt, Others: a.others}
		for _, b := range a.named {
			snap.Absent.Named = append(snap.Absent.Named, snapshotAbsence{b.participant, b.reason})
		}
	}
	data, err := json.Marshal(snap)
	if err != nil {
		return nil, fmt.Errorf("encode state of run %s: %w", s.Run, err)
	}
	return data, nil
}

// DecodeState is the inverse of EncodeState. Unknown fields and phases are errors:
// a run that this version does not fully understand is not to be continued.
func DecodeState(data []byte) (State, error) {
	var snap snapshot
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(&snap)
	if err == nil {
		err = snap.validate()
	}
	if err != nil {
		return State{}, fmt.Errorf("decode state of a run: %w", err)
	}
	s := State{
		Run: snap.Run, Config: snap.Config, Definition: snap.Definition, Phase: snap.Phase, Round: snap.Round, Attempt: snap.Attempt, Waited: snap.Waited, Redone: snap.Redone,
		Exchange: snap.Exchange, Deadline: snap.Deadline, Model: snap.Model, Release: snap.Release, Resume: snap.Resume, Published: HistoryOf(snap.Published...),
		Counts: snap.Counts, Reason: snap.Reason, cohort: snap.Cohort, nonce: snap.Nonce,
	}
	for _, x := range snap.Exchanges {
		made := asked{prefix: x.Prefix, suffix: x.Suffix}
		for _, t := range x.Tasks {
			made = made.set(t)
		}
		s.exchanges = append(s.exchanges, made)
	}
	for _, seat := range snap.Vacant {
		s.vacant = s.vacant.add(seat)
	}
	if a := snap.Absent; a != nil {
		s.absent = absent{round: a.Round, attempt: a.Attempt, others: a.Others}
		for _, b := range a.Named {
			s.absent.named = append(s.absent.named, absence{b.Participant, b.Reason})
		}
	}
	return s, nil
}

// validate reports what no state can have and Step relies on.
func (snap snapshot) validate() error {
	if err := snap.Config.Validate(); err != nil {
		return err
	}
	known := allowed[Answered{}.kind()] // every phase of a run
	exchanges := len(snap.Config.Exchanges)
	switch {
	case !slices.Contains(known, snap.Phase):
		return fmt.Errorf("phase %.40q is not known", snap.Phase)
	case snap.Resume != "" && !slices.Contains(known, snap.Resume):
		return fmt.Errorf("phase %.40q is not known", snap.Resume)
	case snap.Exchange < 0 || snap.Exchange >= exchanges || len(snap.Exchanges) > exchanges:
		return fmt.Errorf("exchange %d and tasks of %d, where a round has %d", snap.Exchange, len(snap.Exchanges), exchanges)
	case snap.Phase == Exchanging && snap.Exchange >= len(snap.Exchanges):
		return fmt.Errorf("an exchange is under way and has no tasks")
	}
	for x, asked := range snap.Exchanges {
		for i, t := range asked.Tasks {
			switch {
			case t.Exchange != x || !slices.Contains(statuses[:], t.Status):
				return fmt.Errorf("task %.80q of exchange %d has status %.40q in exchange %d", t.ID, t.Exchange, t.Status, x)
			case i > 0 && t.Participant <= asked.Tasks[i-1].Participant:
				return fmt.Errorf("tasks are not in the order of distinct participants")
			}
		}
	}
	if !slices.IsSorted(snap.Cohort) {
		return fmt.Errorf("the cohort is not sorted")
	}
	for i, seat := range snap.Vacant {
		if slices.Contains(snap.Vacant[:i], seat) {
			return fmt.Errorf("seat %.80q is vacant twice", seat)
		}
	}
	return nil
}
