package participant

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/disk"
)

// maxUnanswered bounds the replies that wait for a receipt.
const maxUnanswered = 256

// outbox keeps the replies that the coordinator has not acknowledged, each as
// a file, so that they survive a restart; flush writes those that could not be
// written at once, and state.sync makes them survive a power cut. Methods may be
// called concurrently.
type outbox struct {
	dir     string
	disk    disk.Disk
	changed chan struct{} // holds one token when there may be something new
	added   chan struct{} // holds one token when there may be something to flush or to sync

	mu      sync.Mutex
	puts    int               // so far; numbers the entries
	entries []*entry          // in the order of put
	left    map[string]string // files to remove, by task, that the disk has kept
}

// entry is a reply on its way.
type entry struct {
	kept
	number  int       // no two entries have the same
	put     time.Time // when
	written bool      // its file holds it
	synced  bool      // a power cut does not take it
}

// openOutbox reads the replies that lie in dir, creating it when needed. A file that
// holds no reply goes: its task is offered again, and answered again.
func openOutbox(dir string, d disk.Disk, log *zap.Logger) (*outbox, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	paths, err := repliesIn(dir)
	if err != nil {
		return nil, fmt.Errorf("open outbox %s: %w", dir, err)
	}
	o := &outbox{dir: dir, disk: d, changed: make(chan struct{}, 1), added: make(chan struct{}, 1), left: map[string]string{}}
	for _, path := range paths {
		k, err := readReply(path)
		if err == nil && path != o.path(k.Task) {
			err = errNothing // of this name: a power cut has brought an older reply back
		}
		if errors.Is(err, errNoReply) {
			log.Error("an answer that was kept cannot be read, and is given up: its task is trained again when it is offered again",
				zap.String("file", path), zap.Error(err))
		}
		if errors.Is(err, errNothing) || errors.Is(err, errNoReply) {
			if err := d.Remove(path); err != nil {
				return nil, fmt.Errorf("open outbox: %w", err)
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open outbox: %w", err)
		}
		o.entries = append(o.entries, &entry{kept: k, number: o.puts, written: true})
		o.puts++
		wake(o.added)
	}
	return o, nil
}

// put keeps the reply to an offer, in place of an earlier one to the same task.
// While the disk fails it is kept in memory, and written later: a reply that the
// end of the process takes is one to a task that comes again.
func (o *outbox) put(r exchange.Reply, offer string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(r.Task)
	e := &entry{kept: kept{Reply: r, Offer: offer}, number: o.puts, put: time.Now()}
	o.puts++
	o.entries = append(o.entries, e)
	delete(o.left, r.Task)
	wake(o.changed)
	wake(o.added)
	if err := o.write(e); err != nil && !disk.Passing(err) {
		return err
	}
	return nil
}

// write puts an entry into its file. Not yet synced: a power cut may leave less
// than this under the name. The caller holds mu.
func (o *outbox) write(e *entry) error {
	data, err := e.bytes()
	if err == nil {
		err = o.fill(o.spare(), data)
	}
	if err == nil {
		err = o.disk.Rename(o.spare(), o.path(e.Task))
	}
	if err != nil {
		return fmt.Errorf("keep the reply to %s: %w", e.Task, err)
	}
	e.written, e.synced = true, false
	return nil
}

func (o *outbox) fill(path string, data []byte) error {
	f, err := o.disk.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// remove forgets the reply to task, if there is one. While the disk fails its
// file stays, and goes later: if the process ends before, the reply is sent again.
func (o *outbox) remove(task string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(task)
	err := o.discard(o.path(task))
	if disk.Passing(err) {
		o.left[task] = o.path(task)
		wake(o.added)
		return nil
	}
	if err != nil {
		return fmt.Errorf("forget the reply to %s: %w", task, err)
	}
	return nil
}

// discard takes a reply's file away, if it is there; it serves the next reply.
func (o *outbox) discard(path string) error {
	if err := o.disk.Rename(path, o.spare()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// drop takes the reply to task out of the list. The caller holds mu.
func (o *outbox) drop(task string) {
	o.entries = slices.DeleteFunc(o.entries, func(e *entry) bool { return e.Task == task })
}

// flush does what the disk did not allow before.
func (o *outbox) flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for task, path := range o.left {
		if err := o.discard(path); err != nil {
			return fmt.Errorf("forget the reply to %s: %w", task, err)
		}
		delete(o.left, task)
	}
	for _, e := range o.entries {
		if e.written {
			continue
		}
		if err := o.write(e); err != nil {
			return err
		}
	}
	return nil
}

// unsynced returns the entries that were put until then and that a power cut may
// take, and whether there are others.
func (o *outbox) unsynced(until time.Time) (due []entry, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.entries {
		switch {
		case e.synced:
		case !e.written, e.put.After(until):
			more = true
		default:
			due = append(due, *e)
		}
	}
	return due, more
}

// settle notes whether an entry was made durable. One that was not is written
// again first: a system that could not write bytes out may have forgotten them.
func (o *outbox) settle(number int, durable bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.entries {
		if e.number == number {
			e.synced, e.written = durable, durable
		}
	}
}

// all returns the entries in the order of put.
func (o *outbox) all() []entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make([]entry, len(o.entries))
	for i, e := range o.entries {
		all[i] = *e
	}
	return all
}

// find returns the entry of a task.
func (o *outbox) find(task string) (entry, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.entries {
		if e.Task == task {
			return *e, true
		}
	}
	return entry{}, false
}

func (o *outbox) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.entries)
}

// spare is the file that becomes the next reply's. The last one that was
// removed serves again: see package spool for why.
func (o *outbox) spare() string { return filepath.Join(o.dir, "spare") }

// path names the file of a task by a hash: ids come from elsewhere.
func (o *outbox) path(task string) string { return replyPath(o.dir, task) }

func replyPath(dir, task string) string {
	sum := sha256.Sum256([]byte(task))
	return filepath.Join(dir, hex.EncodeToString(sum[:])+".json")
}
