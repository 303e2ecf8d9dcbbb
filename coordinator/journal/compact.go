package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/accord-fl/accord/internal/disk"
)

// Tail is a length of the end of a file.
type Tail struct {
	Records int64
	Bytes   int64
}

// DefaultTail is how long a journal becomes before it is compacted: so many records
// are read in about a second at a start.
func DefaultTail() Tail { return Tail{Records: 50_000, Bytes: 64 << 20} }

// Due reports whether a compaction is worth its while: what follows the last
// snapshot has one of the lengths of Options.Tail and is longer than what a
// compaction would write again. The caller is that of Append.
func (j *File) Due() bool {
	limit, kept := j.o.Tail, j.s.kept
	tail := Tail{j.s.head.Size - kept.Records, j.s.bytes - kept.Bytes}
	if limit == (Tail{}) || tail.Bytes < kept.Bytes {
		return false
	}
	return tail.Records >= limit.Records || tail.Bytes >= limit.Bytes
}

// Compaction is what Compact has done.
type Compaction struct {
	Head          uint64 // the new one
	Removed       int64  // records of the file
	Before, After int64  // bytes of the file
}

// The name under which a compacted file is written, after the file's own.
const nextFile = ".compacted"

// Compact writes the file again without its records: what is left of each is its
// leaf hash, 32 bytes, so that RootAt and Judge know every size as before. In their
// place are a record of the journal's own, which says all that its own records did,
// and the records of snapshot, which must say all that the others did; their Seq
// is filled in. They come after the last record, head, and Replay visits them and
// what is appended from then on.
//
// At any moment the file is the former one or the new one, and both hold all that
// was acknowledged. After an error it is the former one; Compact may be called
// again. ErrConflict: the head is another. The caller is that of Append.
func (j *File) Compact(ctx context.Context, head uint64, snapshot []Record) (Compaction, error) {
	switch {
	case !j.replayed:
		return Compaction{}, errors.New("compact journal: it was not replayed")
	case head != uint64(j.s.head.Size):
		return Compaction{}, ErrConflict
	case head == 0:
		return Compaction{}, nil
	}
	former := j.s
	next, err := j.rewrite(ctx, snapshot)
	if err == nil {
		err = j.exchange(next)
	}
	if err != nil {
		return Compaction{}, fmt.Errorf("compact journal %s: %w", j.path, errors.Join(err, j.discard()))
	}
	_ = j.ready() // Append does it again, and says what is wrong
	return Compaction{
		Head: uint64(next.head.Size), Removed: former.head.Size - former.removal.leaves, Before: former.bytes, After: next.bytes,
	}, nil
}

// prepared is a compacted file that has its first lines of hashes, durably, and not
// yet its very first line.
type prepared struct {
	f     disk.File
	tiles int64
}

// Prepare does the part of a compaction that takes long where a journal has had
// many records, so that Compact takes less. It may be called concurrently with
// everything but Replay, Compact, Close and itself. Compact need not follow.
func (j *File) Prepare(ctx context.Context) error {
	if err := j.discard(); err != nil {
		return fmt.Errorf("compact journal %s: %w", j.path, err)
	}
	f, err := j.o.Disk.OpenFile(j.path+nextFile, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("compact journal %s: %w", j.path, err)
	}
	j.next = &prepared{f: f}
	tiles := j.Head().Size >> tileLevel
	w, err := j.continued(ctx, &state{})
	for tile := int64(0); tile < tiles && err == nil; tile++ {
		j.mu.RLock()
		leaves, read := j.s.tree.leaves(tile)
		j.mu.RUnlock()
		if err = read; err == nil {
			err = w.hashes(tile, leaves)
		}
	}
	if err == nil {
		err = errors.Join(w.w.Flush(), f.Sync())
	}
	if err != nil {
		return fmt.Errorf("compact journal %s: %w", j.path, errors.Join(err, j.discard()))
	}
	j.next.tiles = tiles
	return nil
}

// continued returns what writes a file that was prepared from where it ends; s is
// what is known of it.
func (j *File) continued(ctx context.Context, s *state) (*compactor, error) {
	s.bytes = removal{}.offset(j.next.tiles)
	_, err := j.next.f.Seek(s.bytes, io.SeekStart)
	return &compactor{ctx: ctx, w: bufio.NewWriterSize(j.next.f, 1<<18), s: s}, err
}

// rewrite writes the compacted file under its first name, durably, and returns
// what is known of it.
func (j *File) rewrite(ctx context.Context, records []Record) (*state, error) {
	if err := j.ready(); err != nil {
		return nil, err
	}
	if j.next == nil {
		f, err := j.o.Disk.OpenFile(j.path+nextFile, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, err
		}
		j.next = &prepared{f: f}
	}
	w, err := j.continued(ctx, &state{own: j.s.own.clone(), removal: removal{j.s.head.Size, j.s.head.Root}})
	if err == nil {
		err = w.removed(&j.s.tree, j.next.tiles)
	}
	if err == nil {
		err = w.snapshot(records, j.s.head)
	}
	if err == nil {
		err = w.w.Flush()
	}
	f := j.next.f
	if err == nil {
		_, err = f.WriteAt(w.s.removal.line(), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	j.next = nil
	return w.s, errors.Join(err, f.Close())
}

// exchange gives the compacted file its name. No system renames a file over one
// that is open, so nothing is open meanwhile.
func (j *File) exchange(next *state) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	closed := j.f.Close() // all of it is durable
	j.f = nil
	err := j.o.Disk.Rename(j.path+nextFile, j.path)
	if err != nil {
		return errors.Join(err, closed, j.open())
	}
	// From here on nothing may be acknowledged before the name is durable: a power
	// cut could bring the former file back.
	j.s, j.signed, j.dirty, j.unnamed = next, nil, false, true
	return nil
}

// ready opens the file, and makes its name durable, where a fault of the disk has
// left it otherwise.
func (j *File) ready() error {
	if j.f == nil {
		j.mu.Lock()
		err := j.open()
		j.mu.Unlock()
		if err != nil {
			return err
		}
	}
	if j.unnamed {
		if err := j.o.Disk.SyncDir(filepath.Dir(j.path)); err != nil {
			return err
		}
		j.unnamed = false
	}
	return nil
}

// open opens the file that has the name. mu is held.
func (j *File) open() error {
	f, err := j.o.Disk.OpenFile(j.path, os.O_RDWR, 0o600)
	if err == nil {
		j.f = f
	}
	return err
}

// discard removes a compacted file that did not get its name.
func (j *File) discard() error {
	if j.next != nil {
		_ = j.next.f.Close() // nothing of it is needed
		j.next = nil
	}
	if err := j.o.Disk.Remove(j.path + nextFile); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// tile reads the leaf hashes of a tile that the tree does not hold. mu is held, or
// the caller is that of Append.
func (j *File) tile(tile int64) ([]tlog.Hash, error) {
	if j.f == nil {
		return nil, fmt.Errorf("read journal %s: %w", j.path, fs.ErrClosed)
	}
	line := make([]byte, hashesBytes(tileLeaves))
	if _, err := j.f.ReadAt(line, j.s.removal.offset(tile)); err != nil {
		return nil, fmt.Errorf("read journal %s: %w", j.path, err)
	}
	leaves, err := parseHashes(line, tile*tileLeaves+1, tileLeaves)
	if err == nil && rootOf(leaves) != j.s.tree.tiles[tlog.StoredHashIndex(0, tile)] {
		err = errors.New("the hashes are not those that were read at the start")
	}
	if err != nil {
		return nil, fmt.Errorf("%s:%d: %w", j.path, tile+2, err)
	}
	return leaves, nil
}

// compactor writes a compacted file behind its first line.
type compactor struct {
	ctx context.Context
	w   *bufio.Writer
	s   *state // of what it has written
}

func (c *compactor) write(data []byte) error {
	n, err := c.w.Write(data)
	c.s.bytes += int64(n)
	return err
}

// removed writes what is left of the records of a tree, from a tile on.
func (c *compactor) removed(from *tree, tile int64) (err error) {
	for ; tile < c.s.removal.lines(); tile++ {
		leaves, err := from.leaves(tile)
		if err != nil {
			return err
		}
		if err := c.hashes(tile, leaves); err != nil {
			return err
		}
	}
	c.s.lines = 1 + c.s.removal.lines()
	c.s.tree, err = from.without()
	return err
}

// hashes writes the line of a tile.
func (c *compactor) hashes(tile int64, leaves []tlog.Hash) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return c.write(hashesLine(tile*tileLeaves+1, leaves))
}

// A snapshot is written in batches of about so many bytes.
const snapshotBatch = 1 << 20

// snapshot writes the snapshot of the records up to head.
func (c *compactor) snapshot(records []Record, head Head) error {
	first, err := ownRecord(0, kindSnapshot, c.s.own.snapshot(head, len(records)))
	if err != nil {
		return err
	}
	var batch []Record
	length := 0
	for i, rec := range append([]Record{first}, records...) {
		if i > 0 && isOwn(rec.Kind) {
			return fmt.Errorf("a record of kind %.40q cannot belong to a snapshot", rec.Kind)
		}
		rec.Seq = uint64(head.Size) + 1 + uint64(i)
		batch, length = append(batch, rec), length+len(rec.Data)
		if length >= snapshotBatch {
			if err := c.batch(batch); err != nil {
				return err
			}
			batch, length = nil, 0
		}
	}
	if err := c.batch(batch); err != nil {
		return err
	}
	c.s.head, err = c.s.tree.head()
	c.s.kept = Tail{c.s.tree.size, c.s.bytes}
	c.s.whole = c.s.tree.size
	return err
}

// batch writes some records.
func (c *compactor) batch(records []Record) error {
	if len(records) == 0 {
		return c.ctx.Err()
	}
	data, leaves, err := encode(records, c.s.tree.last, c.s.bytes)
	if err != nil {
		return err
	}
	c.s.last = c.s.bytes
	if err := c.write(data); err != nil {
		return err
	}
	for _, leaf := range leaves {
		if err := c.s.tree.add(leaf); err != nil {
			return err
		}
	}
	c.s.lines += int64(len(records)) + 2
	c.s.batches++
	return c.ctx.Err()
}
