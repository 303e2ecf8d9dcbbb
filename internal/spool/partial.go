package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
)

// Errors of partial blobs that callers tell apart.
var (
	ErrExists     = errors.New("spool: the artefact is there as a whole")
	ErrTooMany    = fault.As(fault.Unavailable, errors.New("spool: too many transfers at once"))
	ErrSuperseded = fault.As(fault.Unavailable, errors.New("spool: another transfer of the same artefact has taken over"))
)

// syncEvery is how many bytes of a partial blob are written between two
// requests to make them durable. A power cut costs a transfer at most twice
// as much.
const syncEvery = 8 << 20

// Key names a partial blob. Two owners that send the same bytes do not share
// them, so neither can spoil the other's.
type Key struct {
	Digest string // of the whole
	Owner  string // who sends it: a file name, or empty
	Task   string // what it is for
}

// file is the partial's name: digest, owner and a hash of the task, whose
// name may hold anything.
func (k Key) file() string {
	sum := sha256.Sum256([]byte(k.Task))
	return k.Digest + "." + k.Owner + "." + hex.EncodeToString(sum[:8])
}

func (k Key) valid() bool {
	return ValidDigest(k.Digest) && len(k.Owner) <= 128 && filepath.Base("x"+k.Owner) == "x"+k.Owner
}

// Partial is a blob of which a part has arrived. Finish or Close ends it;
// after Close, Resume goes on from there, also in another process.
type Partial struct {
	spool *Spool
	name  string
	want  string // digest
	size  int64  // of the whole, as announced
	hash  *digester

	mu     sync.Mutex
	file   disk.File // nil once it has ended
	gone   bool      // and nothing of the partial is left
	lost   bool      // a sync has failed: nothing of the partial is to be believed
	ended  error     // what Write says then
	at     int64
	synced int64      // up to where a sync was asked for
	sync   chan error // the sync under way; nil when there is none
}

// Resume returns the partial blob of size bytes with what is there of it,
// made durable; ErrExists when the blob is there as a whole. A writer that is
// still at it is superseded. A partial longer than size is begun again. Of one
// owner's partials the newest MaxPartials stay, and none longer than
// PartialAge.
func (s *Spool) Resume(key Key, size int64) (*Partial, error) {
	if !key.valid() || size < 0 {
		return nil, fault.Inputf("spool: %.80q of %.80q, %d bytes, is no partial artefact", key.Digest, key.Owner, size)
	}
	if _, ok := s.Has(key.Digest); ok {
		return nil, s.certain(key.Digest)
	}
	p := &Partial{spool: s, name: key.file(), want: key.Digest, size: size, hash: newDigester(), ended: ErrSuperseded}
	p.mu.Lock() // until it is open, so that others wait for it alone, not for all
	defer p.mu.Unlock()
	s.mu.Lock()
	if err := s.makeRoom(key); err != nil {
		s.mu.Unlock()
		return nil, fmt.Errorf("resume %.12s: %w", key.Digest, err)
	}
	old := s.partials[p.name]
	_, left := s.idle[p.name]
	s.partials[p.name] = p
	delete(s.idle, p.name)
	s.mu.Unlock()
	var err error
	if old != nil {
		err = old.end(ErrSuperseded)
		if _, ok := s.Has(key.Digest); ok { // by the old one, just now, or by another
			s.forget(p)
			return nil, errors.Join(err, ErrExists)
		}
	}
	if err == nil {
		err = p.open(old != nil || left)
	}
	if err != nil {
		s.forget(p)
		return nil, fmt.Errorf("resume %.12s: %w", key.Digest, err)
	}
	return p, nil
}

// Arrived tells how many bytes of a blob are there: all of them, or those of
// its partial.
func (s *Spool) Arrived(key Key) int64 {
	if size, ok := s.Has(key.Digest); ok {
		return size
	}
	if !key.valid() {
		return 0
	}
	info, err := os.Stat(filepath.Join(s.partialDir(), key.file()))
	if err != nil {
		return 0
	}
	return info.Size()
}

// open opens the file, and hashes what is in it, or makes one where nothing has
// come before. mu is held.
func (p *Partial) open(before bool) (err error) {
	if !before {
		p.file, err = p.spool.newPartial(p.path())
		return err
	}
	f, err := p.spool.openPartial(p.path())
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if p.at, err = io.Copy(p.hash, f); err != nil {
		return err
	}
	if p.at > p.size {
		p.at = 0
		p.hash.Reset()
		if err := f.Truncate(0); err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	if p.at > 0 && p.spool.sync {
		if err := f.Sync(); err != nil {
			return errors.Join(err, p.remove())
		}
	}
	p.synced, p.file = p.at, f
	return nil
}

func (p *Partial) path() string { return filepath.Join(p.spool.partialDir(), p.name) }

// Offset is how many bytes are there; Write continues from it.
func (p *Partial) Offset() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at
}

// Write appends b. More bytes than were announced are ErrTooLarge.
func (p *Partial) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		return 0, p.ended
	}
	if int64(len(b)) > p.size-p.at {
		return 0, fmt.Errorf("%w: limit %d", ErrTooLarge, p.size)
	}
	n, err := p.file.Write(b)
	_, _ = p.hash.Write(b[:n]) // never fails
	p.at += int64(n)
	if err == nil && p.spool.sync && p.at-p.synced >= syncEvery {
		err = p.syncSoon()
	}
	return n, err
}

// syncSoon makes what was written durable beside the writing, one such
// request at a time. mu is held.
func (p *Partial) syncSoon() error {
	if err := p.settle(); err != nil {
		return err
	}
	f, done := p.file, make(chan error, 1)
	p.sync, p.synced = done, p.at
	go func() { done <- f.Sync() }() // settle waits for it
	return nil
}

// settle waits for the sync under way. mu is held.
func (p *Partial) settle() error {
	if p.sync == nil {
		return nil
	}
	err := <-p.sync
	p.sync = nil
	p.lost = p.lost || err != nil
	return err
}

// Finish files the blob under its digest, durable unless that is left to Flush. Fewer bytes than were
// announced, or others, are ErrDigest, and nothing of them stays.
func (p *Partial) Finish() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		return p.ended
	}
	defer p.spool.forget(p)
	digest, all := p.hash.end()
	if p.at != p.size || digest != p.want {
		err := errors.Join(p.close(os.ErrClosed), p.remove())
		return errors.Join(fmt.Errorf("finish %.12s: %w", p.want, ErrDigest), err)
	}
	err := p.settle()
	later := p.spool.leaves(p.size)
	if err == nil && p.spool.sync && !later {
		err = p.file.Sync()
		p.lost = err != nil
	}
	if err := errors.Join(err, p.close(os.ErrClosed)); err != nil {
		return fmt.Errorf("finish %.12s: %w", p.want, err)
	}
	if err := p.spool.file(p.path(), p.want, all, later); err != nil {
		return fmt.Errorf("finish %.12s: %w", p.want, err)
	}
	p.gone = true
	if later {
		return nil
	}
	return p.spool.named(p.want)
}

// Close ends the writing and keeps what is there. After Finish it does
// nothing.
func (p *Partial) Close() error {
	defer p.spool.forget(p)
	return p.end(os.ErrClosed)
}

// end ends the writing, if it has not ended, for the reason why.
func (p *Partial) end(why error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.close(why)
}

// close is end with mu held.
func (p *Partial) close(why error) error {
	if p.file == nil {
		return nil
	}
	err := errors.Join(p.settle(), p.file.Close())
	p.file, p.ended = nil, why
	if p.lost {
		err = errors.Join(err, p.remove())
	}
	return err
}

// remove takes away what has arrived: after a sync that failed it may never have
// been written, although it can be read and another sync succeeds. mu is held.
func (p *Partial) remove() error {
	err := p.spool.disk.Remove(p.path())
	p.gone = p.gone || err == nil || errors.Is(err, fs.ErrNotExist)
	if p.gone {
		return nil
	}
	return err
}
