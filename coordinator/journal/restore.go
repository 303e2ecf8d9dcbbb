package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/checkpoint"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
)

// Restoring is what a restore may give up, which an operator must ask for.
type Restoring struct {
	Cut            bool // records behind damage in a file
	NewJournal     bool // the journal: every run and all that was acknowledged
	NewRegistry    bool // the registry: every site joins again
	AcceptRegistry bool // that the registry is what the journal knows
}

// Restored is what a restore has done.
type Restored struct {
	Origin  string
	Records int64 // with which the journal goes on
	// Fork: up to how many records, and which incarnation, and what it is now.
	Size                int64
	Former, Incarnation string
	Did                 []string // sentences for people, about all else
}

// Restore makes the folder's journal go on from what is in it, in a new
// incarnation: heads of the former one that reach further are expected then. It
// is for an operator who has put back an older copy, or who gives up what cannot
// be read; no coordinator may run. Errors are as those of Open.
func (f Folder) Restore(ctx context.Context, o Restoring) (_ Restored, err error) {
	r := &restore{f: f, o: o, files: atomicfile.On(f.Disk), time: time.Now().UTC().Format("20060102T150405Z")}
	if err := r.folder(); err != nil {
		return r.done, err
	}
	held, err := lock(f.path(JournalFile))
	if err != nil {
		return r.done, err
	}
	r.j.lock, r.j.ahead = held, true
	r.j.AcceptRegistry, r.r.move = o.AcceptRegistry, o.AcceptRegistry
	if err := r.prepare(); err != nil {
		return r.done, errors.Join(err, held.Unlock())
	}
	if err := r.intact(ctx); err != nil {
		return r.done, errors.Join(err, held.Unlock())
	}
	journal, registry, err := f.open(r.j, r.r)
	if err != nil {
		return r.done, err
	}
	defer func() {
		err = errors.Join(err, journal.Close())
		if registry != nil {
			err = errors.Join(err, registry.Close())
		}
	}()
	if registry != nil {
		if _, err := registry.Replay(ctx, ignore); err != nil {
			return r.done, err
		}
	}
	if _, err := journal.Replay(ctx, ignore); err != nil {
		return r.done, err
	}
	return r.finish(ctx, journal)
}

func ignore(Record) error { return nil }

type restore struct {
	f     Folder
	o     Restoring
	files atomicfile.Files
	time  string // for the names of what is put aside
	j, r  Options
	rekey bool
	done  Restored
}

func (r *restore) did(format string, args ...any) {
	r.done.Did = append(r.done.Did, fmt.Sprintf(format, args...))
}

// folder makes the folder if it is missing and a journal is to begin there.
func (r *restore) folder() error {
	_, err := os.Stat(r.f.Dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !r.o.NewJournal {
		return r.noJournal()
	}
	if err := os.MkdirAll(r.f.Dir, 0o700); err != nil {
		return fault.As(fault.Input, err)
	}
	return nil
}

func (r *restore) noJournal() error {
	return fault.Inputf("%s: it is missing or empty: put back a backup of the folder, or begin another journal with --new-journal", r.f.path(JournalFile))
}

// prepare makes the files that are to be there.
func (r *restore) prepare() error {
	j, err := r.f.formOf(JournalFile)
	if err != nil {
		return err
	}
	if r.o.NewJournal {
		if err := r.newJournal(j); err != nil {
			return err
		}
		j = current
	}
	if j == missing || j == empty {
		return r.noJournal()
	}
	if err := r.key(j); err != nil {
		return err
	}
	r.r.ID = r.j.Key.Origin()
	if !r.f.Registry {
		return nil
	}
	reg, err := r.f.formOf(RegistryFile)
	if err != nil {
		return err
	}
	if r.o.NewRegistry {
		if err := r.aside(RegistryFile, reg); err != nil {
			return err
		}
		r.j.AcceptRegistry = true
		r.did("A new registry was begun: every site has to be invited and to join again.")
		return r.f.beginRegistry(r.j.Key.Origin())
	}
	if reg == missing || reg == empty {
		return fault.Inputf("%s: it is missing or empty: put back a backup of the folder, or begin another registry, in which nobody has joined, with --new-registry", r.f.path(RegistryFile))
	}
	return nil
}

func (r *restore) newJournal(j form) error {
	if err := r.aside(JournalFile, j); err != nil {
		return err
	}
	if key, err := r.f.formOf(KeyFile); err != nil || key != missing {
		if err := errors.Join(err, r.aside(KeyFile, key)); err != nil {
			return err
		}
	}
	key, err := checkpoint.NewKey(checkpoint.NewOrigin())
	if err != nil {
		return err
	}
	r.r.move = true
	r.did("A new journal, %s, was begun: no run is known to it, and sites say that it is not the one they knew.", key.Origin())
	return r.f.beginJournal(key)
}

// besides is a name beside a file that nothing has yet: a restore that was ended
// half-way may have kept something a moment ago.
func (r *restore) besides(file string) (string, error) {
	to := r.f.path(file) + "." + r.time
	for n := 2; ; n++ {
		switch _, err := os.Lstat(to); {
		case errors.Is(err, fs.ErrNotExist):
			return to, nil
		case err != nil:
			return "", err
		}
		to = fmt.Sprintf("%s.%s-%d", r.f.path(file), r.time, n)
	}
}

// aside gives a file another name.
func (r *restore) aside(file string, is form) error {
	if is == missing {
		return nil
	}
	d := r.f.Disk
	if d == nil {
		d = disk.OS()
	}
	to, err := r.besides(file)
	if err != nil {
		return err
	}
	r.did("%s is now %s.", r.f.path(file), to)
	return errors.Join(d.Rename(r.f.path(file), to), d.SyncDir(r.f.Dir))
}

// key finds the journal's key, or makes another where it is missing or another
// journal's.
func (r *restore) key(j form) error {
	key, err := r.f.key(j)
	switch {
	case err == nil && j == older:
		r.j.Key = key
		return nil
	case err != nil && !errors.Is(err, errKeyFile):
		return err
	}
	s, _, err := sound(context.Background(), r.f.path(JournalFile))
	if err != nil {
		return err
	}
	if key != nil && s.own.signsWith(key) {
		r.j.Key = key
		return nil
	}
	return r.newKey(s)
}

// newKey makes a key for the journal that is there. The journal names it before
// it takes its place.
func (r *restore) newKey(s *state) error {
	if s.own.id == "" {
		return fmt.Errorf("%s: %w", r.f.path(JournalFile), ErrNotBegun)
	}
	former, err := r.f.formOf(KeyFile)
	if err == nil {
		err = r.aside(KeyFile, former)
	}
	if err != nil {
		return err
	}
	if r.j.Key, err = checkpoint.NewKey(s.own.id); err != nil {
		return err
	}
	r.j.rekey, r.rekey = true, true
	r.did("The journal has a new key; checkpoints that the former one has signed stay good.")
	return r.files.WriteSecret(r.f.path(nextKeyFile), r.j.Key.Bytes())
}

// finish appends the fork.
func (r *restore) finish(ctx context.Context, j *File) (Restored, error) {
	if r.rekey {
		if err := r.f.promoteKey(); err != nil {
			return r.done, err
		}
	}
	size := j.Head().Size
	rec, data, err := j.s.own.forkRecord(size, j.opened)
	if err != nil {
		return r.done, err
	}
	if err := j.Append(ctx, uint64(size), []Record{rec}); err != nil {
		return r.done, err
	}
	if j.cut != nil {
		r.did("%d bytes at the end of %s were cut: %s.", j.cut.Bytes, j.path, j.cut.Why)
	}
	r.done.Origin, r.done.Records = j.s.own.id, j.s.head.Size
	r.done.Size, r.done.Former, r.done.Incarnation = data.Size, data.Former, data.Incarnation
	return r.done, nil
}
