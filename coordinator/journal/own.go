package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/accord-fl/accord/internal/checkpoint"
)

// The kinds of a journal's own records. The first record of a file is the one of
// its role that has begun or upgraded it.
const (
	kindBegun     = "_begun"    // after the role: the first record
	kindUpgraded  = "_upgraded" // after the role: lines of the version before come first
	kindForked    = "journal_forked"
	kindRekeyed   = "journal_rekeyed"
	kindContested = "journal_contested"
	kindRegistry  = "registry_head"
	kindMoved     = "registry_moved" // to another journal
	kindSnapshot  = "journal_snapshot"
)

// isOwn reports whether records of a kind are the journal's own.
func isOwn(kind string) bool {
	return strings.HasPrefix(kind, "journal_") || strings.HasPrefix(kind, "registry_")
}

// begun is the data of a first record.
type begun struct {
	ID          string `json:"id,omitempty"`          // of the journal, also in the registry's
	Incarnation string `json:"incarnation,omitempty"` // of the journal
	Key         string `json:"key,omitempty"`         // verifies the journal's checkpoints
	Old         *old   `json:"old,omitempty"`         // of an upgraded file
}

// old is what an upgrade record vouches for: the lines before it.
type old struct {
	Records int64     `json:"records"`
	Root    tlog.Hash `json:"root"`
	SHA256  string    `json:"sha256"` // of all their bytes
}

// forked is the data of a fork record: the journal goes on in a new incarnation.
type forked struct {
	// Size is how many records the former incarnation is held to. What it had
	// beyond them is lost.
	Size        int64  `json:"size"`
	Former      string `json:"former"`
	Incarnation string `json:"incarnation"`
	// Lost are further incarnations of which a site has shown a head.
	Lost []lost `json:"lost,omitempty"`
}

type lost struct {
	Size        int64  `json:"size"` // as in forked
	Incarnation string `json:"incarnation"`
}

// moved is the data of a record by which a registry goes over to another journal.
type moved struct {
	ID string `json:"id"`
}

type rekeyed struct {
	Key string `json:"key"`
}

// contested is the data of a record that a site has shown a head which this
// journal does not have.
type contested struct {
	Checkpoint string `json:"checkpoint"`
	Opened     int64  `json:"opened"` // records when this process had opened the file
}

type registryHead struct {
	Size int64     `json:"size"`
	Root tlog.Hash `json:"root"`
}

// identity is what a journal's own records say of it.
type identity struct {
	role        Role
	id          string
	incarnation string
	keys        []string         // verifiers, the one in use last
	bounds      map[string]int64 // former incarnation → how many records it is held to
	shown       []contest        // since the last fork
	registry    *Head            // the last that was recorded
	upgraded    bool
}

// contest is a head that was shown and that the journal does not have.
type contest struct {
	checkpoint.Checkpoint
	contested
}

// open reads the head that was shown.
func (c contested) open(keys []string) (contest, error) {
	opened, err := checkpoint.Open([]byte(c.Checkpoint), keys...)
	return contest{opened, c}, err
}

// apply takes in an own record. before is the part of the file that precedes all
// batches.
func (s *identity) apply(rec Record, before *old) error {
	role, what, _ := strings.Cut(rec.Kind, "_")
	switch what = "_" + what; {
	case what == kindBegun || what == kindUpgraded:
		return s.begin(rec, Role(role), before)
	case rec.Kind == kindForked:
		return s.fork(rec)
	case rec.Kind == kindRekeyed:
		var data rekeyed
		if err := json.Unmarshal(rec.Data, &data); err != nil {
			return err
		}
		s.keys = append(s.keys, data.Key)
	case rec.Kind == kindContested:
		var data contested
		if err := json.Unmarshal(rec.Data, &data); err != nil {
			return err
		}
		c, err := data.open(s.keys)
		if err != nil {
			return err
		}
		s.shown = append(s.shown, c)
	case rec.Kind == kindRegistry:
		var data registryHead
		if err := json.Unmarshal(rec.Data, &data); err != nil {
			return err
		}
		s.registry = &Head{Size: data.Size, Root: data.Root}
	case rec.Kind == kindMoved:
		var data moved
		if err := json.Unmarshal(rec.Data, &data); err != nil {
			return err
		}
		s.id = data.ID
	default:
		return fmt.Errorf("record of kind %.40q is not known: was it written by a newer version?", rec.Kind)
	}
	return nil
}

// errChanged is damage somewhere in the lines of the version before.
var errChanged = errors.New("the records before it, of the version before, are not those that it vouches for")

func (s *identity) begin(rec Record, role Role, before *old) error {
	var data begun
	if err := json.Unmarshal(rec.Data, &data); err != nil {
		return err
	}
	switch {
	case rec.Seq != uint64(before.Records)+1 || s.role != "":
		return errors.New("a first record that is not the first")
	case strings.HasSuffix(rec.Kind, kindBegun) != (before.Records == 0 && data.Old == nil):
		return errors.New("the first record does not fit what is before it")
	case data.Old != nil && *data.Old != *before:
		return fmt.Errorf("%w: some of the %d were changed since", errChanged, before.Records)
	}
	s.role, s.id, s.incarnation, s.upgraded = role, data.ID, data.Incarnation, data.Old != nil
	if data.Key != "" {
		s.keys = []string{data.Key}
	}
	return nil
}

func (s *identity) fork(rec Record) error {
	var data forked
	if err := json.Unmarshal(rec.Data, &data); err != nil {
		return err
	}
	if s.incarnation == "" || data.Former != s.incarnation || data.Incarnation == s.incarnation {
		return errors.New("a fork of another journal")
	}
	if s.bounds == nil {
		s.bounds = map[string]int64{}
	}
	for _, l := range append(data.Lost, lost{data.Size, data.Former}) {
		if bound, known := s.bounds[l.Incarnation]; !known || l.Size < bound {
			s.bounds[l.Incarnation] = l.Size
		}
	}
	s.incarnation, s.shown = data.Incarnation, nil
	return nil
}

// forkRecord returns the record by which the journal goes on in a new incarnation
// after size records, opened of which were there before anything was appended to
// it for the restore.
func (s *identity) forkRecord(size, opened int64) (Record, forked, error) {
	data := forked{Size: opened, Former: s.incarnation, Incarnation: checkpoint.NewIncarnation()}
	for _, c := range s.shown {
		// The lives have parted before the head that was shown, and before the
		// process to which it was shown took the file up.
		agreed := min(c.Opened, c.Head.Size-1, opened)
		if c.Incarnation == s.incarnation {
			data.Size = min(data.Size, agreed)
			continue
		}
		i := slices.IndexFunc(data.Lost, func(l lost) bool { return l.Incarnation == c.Incarnation })
		if i < 0 {
			data.Lost = append(data.Lost, lost{agreed, c.Incarnation})
		} else {
			data.Lost[i].Size = min(data.Lost[i].Size, agreed)
		}
	}
	rec, err := ownRecord(uint64(size)+1, kindForked, data)
	return rec, data, err
}

// ownRecord returns a record of the journal's own.
func ownRecord(seq uint64, kind string, data any) (Record, error) {
	encoded, err := json.Marshal(data)
	if err != nil {
		return Record{}, fmt.Errorf("journal: record of kind %s: %w", kind, err)
	}
	return Record{Seq: seq, At: time.Now().UTC(), Kind: kind, Data: encoded}, nil
}
