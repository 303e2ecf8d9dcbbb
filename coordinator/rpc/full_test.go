package rpc_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/internal/disk/disktest"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/internal/wire"
	"github.com/accord-fl/accord/model"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

const diskFull = wire.DiskFull

// Whichever step of taking an upload fails for want of space, the site learns that
// it is to come again, and then all of it arrives.
func TestUploadToAFullDisk(t *testing.T) {
	data := bytes.Repeat([]byte("x"), 2<<20)
	send := func(t *testing.T, s *server) error {
		stream, err := s.connect().Upload(t.Context())
		if err != nil {
			return err
		}
		h := &accordv1.UploadHeader{Participant: "a", Task: "t", Digest: digestOf(data), Size: int64(len(data))}
		messages := []*accordv1.UploadRequest{{Part: &accordv1.UploadRequest_Header{Header: h}}}
		// What is there need not come again, but may.
		messages = append(messages, &accordv1.UploadRequest{Part: &accordv1.UploadRequest_Chunk{Chunk: data[:1<<20]}}, &accordv1.UploadRequest{Part: &accordv1.UploadRequest_Chunk{Chunk: data[1<<20:]}})
		for _, m := range messages {
			if err := stream.Send(m); err != nil && !errors.Is(err, io.EOF) {
				return err
			}
		}
		_, err = stream.CloseAndRecv()
		return err
	}
	for step, done := 1, false; !done; step++ {
		synctest.Test(t, func(t *testing.T) {
			faulty := disktest.New()
			blobs, err := spool.Open(t.TempDir(), spool.Options{Sync: true, Disk: faulty})
			if err != nil {
				t.Fatal(err)
			}
			faulty.Fail(step, 1)
			s := serve(t, &fake{blobs: blobs, limit: int64(len(data))}, nil, nil)
			if err := send(t, s); err != nil {
				wantStatus(t, err, codes.Unavailable, diskFull)
				if err := send(t, s); err != nil {
					t.Errorf("after step %d: %v", step, err)
				}
			} else if done = true; step < 6 {
				t.Errorf("%d steps, want six or more", step-1)
			}
			if err := blobs.Verify(digestOf(data)); err != nil {
				t.Error(err)
			}
		})
	}
}

// Whichever step of taking a submission fails for want of space, whoever submits is
// told so, and nothing of it stays.
func TestSubmitToAFullDisk(t *testing.T) {
	c := model.Contract{Tensors: []model.TensorSpec{{Name: "w", DType: "F32", Shape: []int{8}}}}
	var file bytes.Buffer
	if err := model.NewParams(c).Write(&file); err != nil {
		t.Fatal(err)
	}
	for step, done := 1, false; !done; step++ {
		synctest.Test(t, func(t *testing.T) {
			faulty, scratch := disktest.New(), t.TempDir()
			faulty.Fail(step, 1)
			s := serve(t, &fake{}, &runs{}, func(o *rpc.Options) {
				o.Scratch, o.Disk = scratch, faulty
				o.Prepare = func(run []byte, initial io.ReaderAt, size int64) (rpc.Submission, error) {
					f, err := model.OpenFile(initial, size, c)
					return rpc.Submission{Definition: coordinator.Definition{Name: string(run)}, Initial: f}, err
				}
			})
			_, _, err := s.admin().Submit(t.Context(), []byte("mnist"), bytes.NewReader(file.Bytes()))
			if err == nil {
				if done = true; step < 4 {
					t.Errorf("%d steps, want four or more", step-1)
				}
			} else if !errors.Is(err, fault.Unavailable) || fmt.Sprint(err) != "coordinator 127.0.0.1:7443: "+diskFull {
				t.Errorf("step %d: got error %v, want that %s", step, err, diskFull)
			}
			if left, err := os.ReadDir(scratch); err != nil || len(left) != 0 {
				t.Errorf("step %d: %d files stay, error %v", step, len(left), err)
			}
		})
	}
}
