package participant

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
)

// Folders in a participant's.
const (
	artefactsDir = "artefacts"
	outboxDir    = "outbox"
)

// state is what a participant keeps on disk: artefacts, the replies that name
// some of them, and what it knows of the coordinator's journal. A lock keeps a
// second process out.
type state struct {
	disk     disk.Disk
	spool    *spool.Spool
	spoolDir string
	outbox   *outbox
	custody  *custody
	lock     *flock.Flock
	patience *patience
}

// openState opens the participant's folder, creating it when needed. The
// caller closes it.
func openState(dir string, d disk.Disk, p *patience) (_ *state, err error) {
	if d == nil {
		d = disk.OS()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fault.As(fault.Input, err)
	}
	s := &state{disk: d, spoolDir: filepath.Join(dir, artefactsDir), lock: flock.New(filepath.Join(dir, "lock")), patience: p}
	locked, err := s.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if !locked {
		return nil, fault.As(fault.Unavailable, fmt.Errorf("folder %s is in use by another process", dir))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.lock.Close())
		}
	}()
	if s.outbox, err = openOutbox(filepath.Join(dir, outboxDir), d, p.log); err != nil {
		return nil, err
	}
	if s.spool, err = spool.Open(s.spoolDir, spool.Options{Disk: d}); err != nil {
		return nil, err
	}
	if s.custody, err = openCustody(dir, d, p.log); err != nil {
		return nil, err
	}
	return s, s.mend()
}

// close makes durable what is not acknowledged, and lets the folder go. It does
// not wait for the disk: what it cannot write now is sent again, or trained again.
func (s *state) close() error {
	_, unsynced := s.sync(time.Now())
	var errs []error
	for _, err := range []error{unsynced, s.custody.flush()} {
		if disk.Passing(err) {
			s.patience.say(err)
			continue
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// sweep removes every artefact but keep ("": none), of which a part may be there,
// and those that a reply in the outbox names. Only the goroutine that makes artefacts may call it.
func (s *state) sweep(keep string) error {
	named := map[string]bool{keep: true}
	for _, e := range s.outbox.all() {
		if e.Update == nil {
			continue
		}
		for _, a := range e.Update.Artefacts {
			named[a.Digest] = true
		}
	}
	files, err := os.ReadDir(s.spoolDir)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	errs := []error{s.spool.SweepPartials([]spool.Key{partialOf(keep)})}
	for _, f := range files {
		if !named[f.Name()] {
			errs = append(errs, s.spool.Remove(f.Name()))
		}
	}
	return errors.Join(errs...)
}
