package rpc

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/internal/wire"
	"github.com/accord-fl/accord/model"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// Prepare makes a submitted run ready: run is its file, YAML, and initial the
// safetensors file, bytes long, that it starts from, or nil.
type Prepare func(run []byte, initial io.ReaderAt, bytes int64) (Submission, error)

// Submission is a run that is ready to be queued.
type Submission struct {
	Definition coordinator.Definition
	Initial    *model.File // reads what Prepare was given; nil: the spec's own initialisation
	Note       string      // how Initial was matched to the run's tensors, for people
}

// maxInitial bounds an initial model, in bytes: the largest that a contract
// allows, in 64-bit floats, and its header.
const maxInitial = 8*model.MaxParameters + 100<<20

// scratch is where files of submissions lie.
type scratch struct {
	dir  string
	disk disk.Disk
}

func (o Options) scratch() scratch {
	s := scratch{o.Scratch, o.Disk}
	if s.dir == "" {
		s.dir = os.TempDir()
	}
	if s.disk == nil {
		s.disk = disk.OS()
	}
	return s
}

// upload is a file of a submission. It lasts until remove.
type upload struct {
	disk.File
	disk disk.Disk
	size int64
}

// remove deletes the file; a nil upload has none.
func (u *upload) remove() error {
	if u == nil {
		return nil
	}
	return errors.Join(u.Close(), u.disk.Remove(u.Name()))
}

// receiveSubmission reads a whole submission. initial is nil when it brings
// no model; otherwise the caller removes it.
func (s scratch) receiveSubmission(stream accordv1.AdminService_SubmitRunServer) (run []byte, initial *upload, err error) {
	first, err := stream.Recv()
	if err != nil {
		return nil, nil, err
	}
	if first.GetHeader() == nil {
		return nil, nil, fault.Inputf("the first message of a submission must be its header, got %T", first.GetPart())
	}
	run = first.GetHeader().GetRun()
	second, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return run, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	chunk := second.GetChunk()
	initial, err = s.receiveFile(wire.ChunkReader(func() ([]byte, error) {
		if chunk != nil {
			first := chunk
			chunk = nil
			return first, nil
		}
		m, err := stream.Recv()
		return m.GetChunk(), err
	}))
	return run, initial, err
}

func (s scratch) receiveFile(r io.Reader) (*upload, error) {
	return s.makeUpload(func(w io.Writer) error {
		n, err := io.Copy(w, io.LimitReader(r, maxInitial+1))
		if err == nil && n > maxInitial {
			err = fmt.Errorf("initial model: %w: limit %d", spool.ErrTooLarge, int64(maxInitial))
		}
		return err
	})
}

// encode writes f in the form that all global models have.
func (s scratch) encode(f *model.File) (*upload, error) {
	return s.makeUpload(func(w io.Writer) error { return f.Contract().Write(w, f) })
}

// makeUpload makes a file of what write writes.
func (s scratch) makeUpload(write func(io.Writer) error) (_ *upload, err error) {
	path := filepath.Join(s.dir, "accord-initial-"+strconv.FormatUint(rand.Uint64(), 36)+".safetensors")
	f, err := s.disk.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("receive the initial model: %w", err)
	}
	u := &upload{File: f, disk: s.disk}
	defer func() {
		if err != nil {
			err = errors.Join(err, u.remove())
		}
	}()
	if err := write(f); err != nil {
		return nil, err
	}
	u.size, err = f.Seek(0, io.SeekCurrent)
	return u, err
}
