package participant

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/accord-fl/accord/exchange"
)

// outbox keeps the replies that the coordinator has not acknowledged, each as
// a file, so that they survive a restart; state.sync makes them survive a power
// cut. Methods may be called concurrently.
type outbox struct {
	dir     string
	changed chan struct{} // holds one token when there may be something new

	added chan struct{} // holds one token when there may be something unsynced

	mu       sync.Mutex
	replies  []exchange.Reply     // in the order of put
	unsynced map[string]time.Time // tasks whose reply a power cut may take: when it was put
}

// openOutbox reads the replies that lie in dir, creating it when needed.
func openOutbox(dir string) (*outbox, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	paths, err := repliesIn(dir)
	if err != nil {
		return nil, fmt.Errorf("open outbox %s: %w", dir, err)
	}
	o := &outbox{dir: dir, changed: make(chan struct{}, 1), added: make(chan struct{}, 1), unsynced: map[string]time.Time{}}
	for _, path := range paths {
		r, err := readReply(path)
		if err == nil && path != o.path(r.Task) {
			err = errNothing // of this name: a power cut has brought an older reply back
		}
		if errors.Is(err, errNothing) {
			if err := os.Remove(path); err != nil {
				return nil, fmt.Errorf("open outbox: %w", err)
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open outbox: %s: %w (remove the file to give that reply up)", path, err)
		}
		o.replies = append(o.replies, r)
	}
	return o, nil
}

// repliesIn lists the files of replies in an outbox's folder.
func repliesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var paths []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".json" {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, err
}

// errNothing marks a file of which a power cut has left the name alone.
var errNothing = errors.New("nothing is in it")

func readReply(path string) (exchange.Reply, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return exchange.Reply{}, err
	}
	if len(bytes.Trim(data, "\x00")) == 0 {
		return exchange.Reply{}, errNothing
	}
	var r exchange.Reply
	if err := json.Unmarshal(data, &r); err != nil {
		return exchange.Reply{}, err
	}
	return r, r.Validate()
}

// put keeps a reply, in place of an earlier one to the same task.
func (o *outbox) put(r exchange.Reply) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("keep the reply to %s: %w", r.Task, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	// Not yet synced: a power cut may leave less than this under the name.
	err = os.WriteFile(o.spare(), data, 0o644)
	if err == nil {
		err = os.Rename(o.spare(), o.path(r.Task))
	}
	if err != nil {
		return fmt.Errorf("keep the reply to %s: %w", r.Task, err)
	}
	o.drop(r.Task)
	o.replies = append(o.replies, r)
	o.unsynced[r.Task] = time.Now()
	wake(o.changed)
	wake(o.added)
	return nil
}

// remove forgets the reply to task, if there is one.
func (o *outbox) remove(task string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := os.Rename(o.path(task), o.spare()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget the reply to %s: %w", task, err)
	}
	o.drop(task)
	return nil
}

// drop takes the reply to task out of the list. The caller holds mu.
func (o *outbox) drop(task string) {
	o.replies = slices.DeleteFunc(o.replies, func(r exchange.Reply) bool { return r.Task == task })
	delete(o.unsynced, task)
}

// takeUnsynced returns the replies that were put until then and that the
// caller has to sync, and whether others are left.
func (o *outbox) takeUnsynced(until time.Time) (taken []exchange.Reply, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.replies {
		if put, ok := o.unsynced[r.Task]; ok && !put.After(until) {
			taken = append(taken, r)
			delete(o.unsynced, r.Task)
		}
	}
	return taken, len(o.unsynced) > 0
}

// all returns the replies in the order of put.
func (o *outbox) all() []exchange.Reply {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.replies)
}

func (o *outbox) has(task string) bool {
	return slices.ContainsFunc(o.all(), func(r exchange.Reply) bool { return r.Task == task })
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
