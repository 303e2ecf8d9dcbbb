package participant

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/checkpoint"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
)

const (
	// checkpointFile lies in a participant's folder.
	checkpointFile = "checkpoint.json"
	// maxCheckpointFile bounds it, in bytes.
	maxCheckpointFile = 64 << 10
	// maxFormer is how many former incarnations of a journal are kept.
	maxFormer = 256
	// keepAfter is how long a newer checkpoint waits until it is written, unless the
	// session ends before: no round waits for the disk because of it.
	keepAfter = 5 * time.Second
)

// known is what a site has seen of the coordinator's journal.
type known struct {
	key    string // verifies the checkpoint
	signed []byte // the newest checkpoint
	head   checkpoint.Checkpoint
	former []string // incarnations before that of the head, the last one last
}

// knownFile is its file.
type knownFile struct {
	Key        string   `json:"key"`
	Checkpoint string   `json:"checkpoint"`
	Former     []string `json:"former_incarnations,omitempty"`
}

func (k *known) bytes() ([]byte, error) {
	data, err := json.MarshalIndent(knownFile{k.key, string(k.signed), k.former}, "", "  ")
	return append(data, '\n'), err
}

// ProbeJournal looks at what a participant's folder has of the coordinator's
// journal. It reads the folder alone, also while Run runs.
func ProbeJournal(dir string) Finding {
	k, err := readKnown(dir)
	switch {
	case err != nil:
		return Finding{Check: "journal", Detail: err.Error(), Advice: "nothing needs to be done: the participant forgets it when it starts, and learns it again from the coordinator"}
	case k == nil:
		return Finding{Check: "journal", OK: true, Detail: "nothing is known of the coordinator's journal yet"}
	}
	return Finding{Check: "journal", OK: true, Detail: fmt.Sprintf("the coordinator's journal, %s, is known up to record %d; incarnation %s", k.head.Origin, k.head.Head.Size, k.head.Incarnation)}
}

// readKnown reads what is kept in a participant's folder; nil: nothing. A file
// that is damaged is an error of class fault.Input.
func readKnown(dir string) (*known, error) {
	path := filepath.Join(dir, checkpointFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxCheckpointFile))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	var file knownFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fault.Inputf("%s: %w", path, err)
	}
	k := &known{key: file.Key, signed: []byte(file.Checkpoint), former: file.Former}
	if k.head, err = checkpoint.Open(k.signed, k.key); err != nil {
		return nil, fault.Inputf("%s: %w", path, err)
	}
	if len(k.signed) > exchange.MaxCheckpoint || len(k.former) > maxFormer || slices.ContainsFunc(k.former, func(s string) bool { return !checkpoint.ValidIncarnation(s) }) {
		return nil, fault.Inputf("%s: it is not what this site has written", path)
	}
	return k, nil
}

// custody keeps the newest checkpoint of the coordinator's journal, so that the
// site notices, and the coordinator learns, when records of it are lost or changed.
// Methods may be called concurrently.
type custody struct {
	dir     string
	files   atomicfile.Files
	log     *zap.Logger
	changed chan struct{} // holds one token when there is something to write

	writing sync.Mutex // one write at a time

	mu       sync.Mutex
	known    *known // nil: nothing
	disputed bool   // the coordinator, in this session, does not have what is known
	changes  int    // of known, so far
	written  int    // of these, how many the file has
}

// openCustody reads what the folder has. A file that is damaged is forgotten.
func openCustody(dir string, d disk.Disk, log *zap.Logger) (*custody, error) {
	c := &custody{dir: dir, files: atomicfile.On(d), log: log, changed: make(chan struct{}, 1)}
	var err error
	if c.known, err = readKnown(dir); err != nil {
		if disk.Passing(err) {
			return nil, err
		}
		log.Warn("what this site knew of the coordinator's journal cannot be read, and is forgotten", zap.Error(err))
	}
	return c, nil
}

// shown is what the coordinator is shown; nil: nothing is known.
func (c *custody) shown() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		return nil
	}
	return c.known.signed
}

// welcome compares what a coordinator says of its journal with what the site
// knows, and keeps the newer. It returns the journal's incarnation, or "" when the
// coordinator has none that the site believes.
func (c *custody) welcome(signed []byte, key string) (incarnation string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.disputed = false
	if len(signed) == 0 {
		return "" // a coordinator that has none
	}
	head, key, err := c.open(signed, key)
	if err != nil {
		c.log.Warn("the coordinator's checkpoint is not signed as it should be: what this site knows of the journal stays as it is", zap.Error(err))
		return ""
	}
	k := c.known
	switch {
	case k == nil:
		c.take(known{key: key, signed: signed, head: head})
	case head.Origin != k.head.Origin:
		c.log.Warn("this is not the journal that this site knew: the coordinator has begun another, or is another one",
			zap.String("known", k.head.Origin), zap.Int64("known_records", k.head.Head.Size), zap.String("journal", head.Origin))
		c.take(known{key: key, signed: signed, head: head})
	case head.Incarnation != k.head.Incarnation && !slices.Contains(k.former, head.Incarnation):
		c.log.Warn("the coordinator was restored from a copy of its folder: what this site has seen beyond it is lost, and may be asked again",
			append(c.difference(head), zap.Bool("another_key", key != k.key))...)
		former := append(slices.Clone(k.former), k.head.Incarnation)
		c.take(known{key: key, signed: signed, head: head, former: former[max(0, len(former)-maxFormer):]})
	case head.Incarnation == k.head.Incarnation && extends(head.Head, k.head.Head):
		c.take(known{key: key, signed: signed, head: head, former: k.former})
	default:
		c.dispute(head)
		return ""
	}
	return head.Incarnation
}

// receipt keeps the checkpoint of a receipt when it is newer.
func (c *custody) receipt(signed []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.known
	if len(signed) == 0 || k == nil || c.disputed {
		return
	}
	head, _, err := c.open(signed, k.key)
	switch {
	case err != nil, head.Origin != k.head.Origin, head.Incarnation != k.head.Incarnation:
		c.disputed = true
		c.log.Warn("the checkpoint of a receipt is not one of the journal that the coordinator has shown: what this site knows stays as it is", zap.Error(err))
	case extends(head.Head, k.head.Head):
		c.take(known{key: k.key, signed: signed, head: head, former: k.former})
	default:
		c.dispute(head)
	}
}

// open reads a checkpoint that is signed with the key that the site knows, or,
// where it knows none, or after a restore, with another one. The caller holds mu.
func (c *custody) open(signed []byte, key string) (checkpoint.Checkpoint, string, error) {
	if len(signed) > exchange.MaxCheckpoint {
		return checkpoint.Checkpoint{}, "", checkpoint.ErrMalformed // it could not be shown to anybody
	}
	if c.known == nil {
		head, err := checkpoint.Open(signed, key)
		return head, key, err
	}
	head, err := checkpoint.Open(signed, c.known.key)
	if err == nil || key == c.known.key {
		return head, c.known.key, err
	}
	if head, err = checkpoint.Open(signed, key); err != nil {
		return head, key, err
	}
	if head.Origin == c.known.head.Origin && head.Incarnation == c.known.head.Incarnation {
		return head, key, checkpoint.ErrSignature // only a restore changes the key
	}
	return head, key, nil
}

// extends reports whether a head may come after one of the same life.
func extends(head, before checkpoint.Head) bool {
	return head.Size > before.Size || head == before
}

// dispute says that the coordinator does not have what the site knows. The caller
// holds mu.
func (c *custody) dispute(head checkpoint.Checkpoint) {
	c.disputed = true
	c.log.Warn("the coordinator's journal lacks records that this site has seen: it is an older copy, or was changed. It is shown what this site knows, and asks nothing until its operator has restored it",
		c.difference(head)...)
}

func (c *custody) difference(head checkpoint.Checkpoint) []zap.Field {
	return []zap.Field{
		zap.Int64("known_records", c.known.head.Head.Size), zap.String("known_incarnation", c.known.head.Incarnation),
		zap.Int64("records", head.Head.Size), zap.String("incarnation", head.Incarnation),
	}
}

// take has k kept. The caller holds mu.
func (c *custody) take(k known) {
	if c.known != nil && c.known.key == k.key && bytes.Equal(c.known.signed, k.signed) {
		return
	}
	c.known = &k
	c.changes++
	wake(c.changed)
}

// keep writes what is new, a while after it came, until ctx ends, whose error it
// returns. It waits for the disk.
func (c *custody) keep(ctx context.Context, p *patience) error {
	for {
		select {
		case <-c.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !sleep(ctx, keepAfter) {
			return ctx.Err()
		}
		if err := p.retry(ctx, c.flush); err != nil {
			return err
		}
	}
}

// flush writes what is not written yet.
func (c *custody) flush() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	k, changes, written := c.known, c.changes, c.written
	c.mu.Unlock()
	if changes == written {
		return nil
	}
	data, err := k.bytes() // nobody changes k
	if err == nil {
		err = c.files.WriteBytes(filepath.Join(c.dir, checkpointFile), data)
	}
	if err != nil {
		wake(c.changed)
		return fmt.Errorf("keep the coordinator's checkpoint: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = changes
	return nil
}
