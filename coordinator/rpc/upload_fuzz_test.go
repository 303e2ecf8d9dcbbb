package rpc

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/accord-fl/accord/internal/spool"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// awaiting is a coordinator that awaits an artefact of at most 100 bytes.
type awaiting struct {
	Federation
	blobs *spool.Spool
}

func (a awaiting) Awaits(string, string) int64 { return 100 }
func (a awaiting) Spool() *spool.Spool         { return a.blobs }

// Whatever an upload says, nothing lies in the spool afterwards but a blob
// under its digest, or a part of one.
func FuzzUpload(f *testing.F) {
	for _, h := range []*accordv1.UploadHeader{
		{Participant: "a", Task: "r/1", Digest: "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", Size: 1},
		{Participant: "../a", Task: "../../x", Digest: "../../etc/passwd", Size: -1, Offset: -1},
		{Participant: "a", Digest: "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", Size: 1 << 62, Offset: 1 << 62},
	} {
		data, err := proto.Marshal(h)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, []byte("x"))
	}
	f.Fuzz(func(t *testing.T, header, chunk []byte) {
		var h accordv1.UploadHeader
		if proto.Unmarshal(header, &h) != nil {
			return
		}
		dir := t.TempDir()
		blobs, err := spool.Open(filepath.Join(dir, "spool"), spool.Options{})
		if err != nil {
			t.Fatal(err)
		}
		federation := &federation{coordinator: awaiting{blobs: blobs}}
		if federation.admit(context.Background(), &h) != nil {
			return
		}
		p, err := blobs.Resume(keyOf(&h), h.GetSize())
		if err != nil {
			t.Fatalf("admitted, but %v", err)
		}
		_, err = p.Write(chunk)
		if err == nil {
			err = p.Finish()
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		all, listing := blobs.List()
		if listing != nil || (err == nil) != (len(all) == 1) {
			t.Fatalf("ended in %v, and the spool holds %v (%v)", err, all, listing)
		}
		if err == nil && !bytes.Equal(chunk, read(t, filepath.Join(dir, "spool", h.GetDigest()))) {
			t.Fatal("other bytes lie under the digest")
		}
		if outside, err := os.ReadDir(dir); err != nil || len(outside) != 1 {
			t.Fatalf("beside the spool: %v, %v", outside, err)
		}
	})
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return data
}
