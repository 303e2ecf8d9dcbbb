package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/accord-fl/accord/internal/checkpoint"
	"github.com/accord-fl/accord/internal/fault"
)

func (s identity) clone() identity {
	s.keys, s.shown, s.bounds = slices.Clone(s.keys), slices.Clone(s.shown), maps.Clone(s.bounds)
	return s
}

// The errors of a file that is not the one that Options describe. They are of
// class fault.Input.
var (
	// ErrNotBegun: the file has no first record of its role.
	ErrNotBegun = fault.As(fault.Input, errors.New("it has no first record, which accord federation init writes: what it held was lost. Put back a backup of the folder, or see accord coordinator restore --help"))
	// ErrOtherKey: the key is not the one that the journal names.
	ErrOtherKey = fault.As(fault.Input, errors.New("it names another key than the one in "+KeyFile+": put back the one that belongs to it, or let accord coordinator restore make another"))
	// ErrOtherJournal: the registry belongs to another journal.
	ErrOtherJournal = fault.As(fault.Input, errors.New("it belongs to another journal than the one beside it: put back a backup of the whole folder, or see accord coordinator restore --help"))
	// ErrRegistry: journal and registry contradict each other.
	ErrRegistry = fault.As(fault.Input, errors.New("put back journal and registry from the same backup, or let accord coordinator restore --accept-registry take the registry as it is, and look through accord members for whom to revoke again"))
)

// errAhead: the registry has changes that the journal does not know of.
var errAhead = fault.As(fault.Input, errors.New("nothing of the registry is lost"))

// isOldFile reports whether a file has records of the version before and nothing
// else.
func (s *state) isOldFile() bool { return s.old.Records > 0 && s.batches == 0 }

// check reports whether what was read is what Options describe.
func (j *File) check(s *state) error {
	if j.o.Role == "" {
		return nil
	}
	if !s.isOldFile() {
		if err := j.checkIdentity(&s.own); err != nil {
			return fmt.Errorf("%s: %w", j.path, err)
		}
	}
	if j.o.Covers != nil && s.own.registry != nil && !j.o.AcceptRegistry {
		if err := j.checkRegistry(*s.own.registry); err != nil {
			return fmt.Errorf("%s: %w", j.o.Covers.path, err)
		}
	}
	return nil
}

func (j *File) checkIdentity(own *identity) error {
	switch {
	case own.id == "":
		return ErrNotBegun
	case own.role != j.o.Role:
		return fault.Inputf("it is a %s, where a %s should be: the files were exchanged", own.role, j.o.Role)
	case own.role == Registry && own.id != j.o.ID && !j.o.move:
		return ErrOtherJournal
	case own.role == Journal && j.o.Key != nil && !own.signsWith(j.o.Key) && !j.o.rekey:
		return ErrOtherKey
	}
	return nil
}

// signsWith reports whether key is the one that the journal names last.
func (s *identity) signsWith(key *checkpoint.Key) bool {
	return key.Origin() == s.id && len(s.keys) > 0 && s.keys[len(s.keys)-1] == key.Verifier()
}

// checkRegistry reports whether the registry is the one whose head the journal
// has recorded, or that one and one change more: it was not answered yet.
func (j *File) checkRegistry(recorded Head) error {
	registry := j.o.Covers
	head := registry.Head()
	switch root, err := registry.RootAt(min(recorded.Size, head.Size)); {
	case err != nil:
		return err
	case head.Size < recorded.Size:
		return fmt.Errorf("it has %d records, and the journal knows of %d: its end was lost, and with it perhaps a revocation: %w", head.Size, recorded.Size, ErrRegistry)
	case root != recorded.Root:
		return fmt.Errorf("its first %d records are not those that the journal knows of: %w", recorded.Size, ErrRegistry)
	case head.Size > recorded.Size+1 && !j.o.ahead:
		return fmt.Errorf("it has %d records, and the journal knows of %d: the journal is an older copy: put back both from one backup, or let accord coordinator restore go on from it: %w", head.Size, recorded.Size, errAhead)
	}
	return nil
}

// settle appends what a file must say of itself and does not say yet.
func (j *File) settle(ctx context.Context) error {
	var records []Record
	add := func(kind string, data any) error {
		rec, err := ownRecord(uint64(j.s.head.Size)+1+uint64(len(records)), kind, data)
		records = append(records, rec)
		return err
	}
	if j.s.isOldFile() {
		role, first := j.o.Role, begun{Old: &j.s.old}
		switch {
		case role == Registry:
			first.ID = j.o.ID
		case role == Journal && j.o.Key != nil:
			first.ID, first.Incarnation, first.Key = j.o.Key.Origin(), checkpoint.NewIncarnation(), j.o.Key.Verifier()
		default:
			role = Journal
		}
		if err := add(string(role)+kindUpgraded, first); err != nil {
			return err
		}
	}
	if j.o.move && j.s.own.id != j.o.ID {
		if err := add(kindMoved, moved{j.o.ID}); err != nil {
			return err
		}
	}
	if j.o.rekey && !j.s.own.signsWith(j.o.Key) {
		if err := add(kindRekeyed, rekeyed{j.o.Key.Verifier()}); err != nil {
			return err
		}
	}
	if j.o.Covers != nil {
		if head := j.o.Covers.Head(); j.s.own.registry == nil || *j.s.own.registry != head {
			if err := add(kindRegistry, registryHead{head.Size, head.Root}); err != nil {
				return err
			}
		}
	}
	return j.Append(ctx, uint64(j.s.head.Size), records)
}
