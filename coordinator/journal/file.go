package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/fault"
)

// File is a Store of one JSON line a record. A lock beside it keeps a second
// process out.
type File struct {
	path string
	f    *os.File
	lock *flock.Flock
	head uint64
	size int64 // bytes that hold whole records
	bad  error // a failed write leaves the file in doubt until it is opened anew
}

var _ Store = (*File)(nil)

// OpenFile opens or creates the journal at path. A last line that a crash cut
// short was never acknowledged and is removed; damage anywhere else is an
// error that names the line.
func OpenFile(path string) (*File, error) {
	lock := flock.New(path + ".lock")
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock journal %s: %w", path, err)
	}
	if !locked {
		return nil, fault.As(fault.Unavailable, fmt.Errorf("journal %s is in use by another process", path))
	}
	j := &File{path: path, lock: lock}
	if err := j.open(); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

func (j *File) open() error {
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	j.f = f
	if err := atomicfile.SyncDir(filepath.Dir(j.path)); err != nil {
		return fmt.Errorf("open journal %s: %w", j.path, err)
	}
	if _, err := j.scan(func(Record) error { return nil }); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open journal %s: %w", j.path, err)
	}
	if info.Size() > j.size {
		if err := errors.Join(f.Truncate(j.size), f.Sync()); err != nil {
			return fmt.Errorf("open journal %s: remove a torn line: %w", j.path, err)
		}
	}
	return nil
}

// Replay implements Store.
func (j *File) Replay(ctx context.Context, visit func(Record) error) (uint64, error) {
	return j.scan(func(r Record) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return visit(r)
	})
}

// scan reads the file from its start and sets head and size.
func (j *File) scan(visit func(Record) error) (uint64, error) {
	if _, err := j.f.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("read journal: %w", err)
	}
	r := bufio.NewReader(j.f)
	j.head, j.size = 0, 0
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return j.head, nil // what follows the last newline was never acknowledged
		}
		if err != nil {
			return 0, fmt.Errorf("read journal %s: %w", j.path, err)
		}
		rec, err := parse(line)
		if err == nil && rec.Seq != j.head+1 {
			err = fmt.Errorf("record %d follows record %d", rec.Seq, j.head)
		}
		if err == nil {
			err = visit(rec)
		}
		if err != nil {
			return 0, fault.Inputf("%s:%d: %w", j.path, j.head+1, err)
		}
		j.head, j.size = rec.Seq, j.size+int64(len(line))
	}
}

func parse(line []byte) (Record, error) {
	var rec Record
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&rec); err != nil {
		return Record{}, fmt.Errorf("not a journal record: %w", err)
	}
	if d.More() {
		return Record{}, errors.New("more than one record on the line")
	}
	return rec, nil
}

// Append implements Store: one write, one fsync.
func (j *File) Append(_ context.Context, head uint64, records []Record) error {
	if j.bad != nil {
		return j.bad
	}
	if head != j.head {
		return ErrConflict
	}
	var lines bytes.Buffer
	for i, rec := range records {
		if rec.Seq != head+1+uint64(i) {
			return fmt.Errorf("append to journal: record %d follows %d", rec.Seq, head+uint64(i))
		}
		line, err := json.Marshal(rec)
		if err != nil {
			return fmt.Errorf("append to journal: %w", err)
		}
		lines.Write(line)
		lines.WriteByte('\n')
	}
	if _, err := j.f.WriteAt(lines.Bytes(), j.size); err != nil {
		return j.doubt(err)
	}
	if err := j.f.Sync(); err != nil {
		return j.doubt(err)
	}
	j.head += uint64(len(records))
	j.size += int64(lines.Len())
	return nil
}

func (j *File) doubt(err error) error {
	j.bad = fmt.Errorf("append to journal %s: %w", j.path, err)
	return j.bad
}

// Close releases the file and its lock.
func (j *File) Close() error {
	var errs []error
	if j.f != nil {
		errs = append(errs, j.f.Close())
	}
	return errors.Join(append(errs, j.lock.Unlock())...)
}
