package rpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/accord-fl/accord/coordinator"
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
	Initial    *model.Params // nil: the spec's own initialisation
	Note       string        // how Initial was matched to the run's tensors, for people
}

// maxInitial bounds an initial model, in bytes: the largest that a contract
// allows, in 64-bit floats, and its header.
const maxInitial = 8*model.MaxParameters + 100<<20

// upload is a file that a caller has sent. It lasts until remove.
type upload struct {
	*os.File
	size int64
}

// remove deletes the file; a nil upload has none.
func (u *upload) remove() error {
	if u == nil {
		return nil
	}
	return errors.Join(u.Close(), os.Remove(u.Name()))
}

// receiveSubmission reads a whole submission. initial is nil when it brings
// no model; otherwise the caller removes it.
func receiveSubmission(stream accordv1.AdminService_SubmitRunServer) (run []byte, initial *upload, err error) {
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
	initial, err = receiveFile(wire.ChunkReader(func() ([]byte, error) {
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

func receiveFile(r io.Reader) (_ *upload, err error) {
	f, err := os.CreateTemp("", "accord-initial-*.safetensors")
	if err != nil {
		return nil, fmt.Errorf("receive the initial model: %w", err)
	}
	u := &upload{File: f}
	defer func() {
		if err != nil {
			err = errors.Join(err, u.remove())
		}
	}()
	if u.size, err = io.Copy(f, io.LimitReader(r, maxInitial+1)); err != nil {
		return nil, err
	}
	if u.size > maxInitial {
		return nil, fmt.Errorf("initial model: %w: limit %d", spool.ErrTooLarge, int64(maxInitial))
	}
	return u, nil
}

// encode writes p as the file that it would be.
func encode(p *model.Params) (*bytes.Reader, error) {
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		return nil, err
	}
	return bytes.NewReader(b.Bytes()), nil
}
