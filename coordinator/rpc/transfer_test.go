package rpc_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"

	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func TestDownload(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), (2<<20)/16+1)
	tests := []struct {
		name   string
		digest string
		offset int64
		code   codes.Code
	}{
		{"whole", digestOf(data), 0, codes.OK},
		{"from an offset", digestOf(data), 1<<20 + 3, codes.OK},
		{"from the end", digestOf(data), int64(len(data)), codes.OK},
		{"beyond the end", digestOf(data), int64(len(data)) + 1, codes.OutOfRange},
		{"a negative offset", digestOf(data), -1, codes.OutOfRange},
		{"not there", strings.Repeat("0", 64), 0, codes.NotFound},
		{"a path", "../../etc/passwd", 0, codes.NotFound},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{blobs: newSpool(t)}
				if _, err := f.blobs.Put(bytes.NewReader(data), digestOf(data), 1<<30); err != nil {
					t.Fatal(err)
				}
				stream, err := serve(t, f, nil, nil).connect().Download(t.Context(), &accordv1.DownloadRequest{Digest: test.digest, Offset: test.offset})
				if err != nil {
					t.Fatal(err)
				}
				var got []byte
				for {
					m, err := stream.Recv()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						wantStatus(t, err, test.code, "")
						return
					}
					if len(m.GetChunk()) > wire.ChunkSize {
						t.Errorf("a chunk of %d bytes", len(m.GetChunk()))
					}
					got = append(got, m.GetChunk()...)
				}
				if test.code != codes.OK || !bytes.Equal(got, data[test.offset:]) {
					t.Errorf("got %d bytes, want %v and %d", len(got), test.code, int64(len(data))-test.offset)
				}
			})
		})
	}
}

func TestUpload(t *testing.T) {
	const limit = 3 << 20
	data := bytes.Repeat([]byte("x"), limit)
	header := func(change func(*accordv1.UploadHeader)) *accordv1.UploadRequest {
		h := &accordv1.UploadHeader{Participant: "a", Task: "t", Digest: digestOf(data), Size: limit}
		if change != nil {
			change(h)
		}
		return &accordv1.UploadRequest{Part: &accordv1.UploadRequest_Header{Header: h}}
	}
	chunk := func(p []byte) *accordv1.UploadRequest {
		return &accordv1.UploadRequest{Part: &accordv1.UploadRequest_Chunk{Chunk: p}}
	}
	whole := []*accordv1.UploadRequest{chunk(data[:1<<20]), chunk(data[1<<20 : 2<<20]), chunk(data[2<<20:])}
	tests := []struct {
		name  string
		limit int64
		first *accordv1.UploadRequest
		rest  []*accordv1.UploadRequest
		code  codes.Code
		want  string
	}{
		{"whole", limit, header(nil), whole, codes.OK, ""},
		{"no header", limit, whole[0], whole[1:], codes.InvalidArgument, "must be its header"},
		{"two headers", limit, header(nil), []*accordv1.UploadRequest{whole[0], header(nil)}, codes.InvalidArgument, "second header"},
		{"no name", limit, header(func(h *accordv1.UploadHeader) { h.Participant = "" }), whole, codes.InvalidArgument, "name"},
		{"a digest that is a path", limit, header(func(h *accordv1.UploadHeader) { h.Digest = "../x" }), whole, codes.InvalidArgument, "digest"},
		{"another digest", limit, header(func(h *accordv1.UploadHeader) { h.Digest = strings.Repeat("0", 64) }), whole, codes.InvalidArgument, "do not match their digest"},
		{"cut short", limit, header(nil), whole[:2], codes.InvalidArgument, "do not match their digest"},
		{"too large, as announced", limit - 1, header(nil), whole, codes.InvalidArgument, "at most"},
		{"too large, in spite of what was announced", limit - 1, header(func(h *accordv1.UploadHeader) { h.Size = 1 }), whole, codes.InvalidArgument, "more bytes than allowed"},
		{"no run", 0, header(nil), whole, codes.FailedPrecondition, "no run is open"},
		{"a chunk too large", limit, header(nil), []*accordv1.UploadRequest{chunk(make([]byte, wire.MaxMessage))}, codes.ResourceExhausted, "larger than max"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{blobs: newSpool(t), limit: test.limit}
				stream, err := serve(t, f, nil, nil).connect().Upload(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range append([]*accordv1.UploadRequest{test.first}, test.rest...) {
					if err := stream.Send(m); err != nil && !errors.Is(err, io.EOF) {
						t.Fatal(err)
					}
				}
				_, err = stream.CloseAndRecv()
				if test.code != codes.OK {
					wantStatus(t, err, test.code, test.want)
				} else if err != nil {
					t.Error(err)
				}
				left, err := f.blobs.List()
				if err != nil {
					t.Fatal(err)
				}
				if (len(left) == 1) != (test.code == codes.OK) {
					t.Errorf("the spool holds %v", left)
				}
			})
		})
	}
}

func TestUploadOfWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := bytes.Repeat([]byte("x"), 1<<20)
		f := &fake{blobs: newSpool(t), limit: 1 << 20}
		if _, err := f.blobs.Put(bytes.NewReader(data), digestOf(data), 1<<20); err != nil {
			t.Fatal(err)
		}
		stream, err := serve(t, f, nil, nil).connect().Upload(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = stream.Send(&accordv1.UploadRequest{Part: &accordv1.UploadRequest_Header{
			Header: &accordv1.UploadHeader{Participant: "a", Digest: digestOf(data), Size: 1 << 20},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.CloseAndRecv(); err != nil {
			t.Errorf("got %v, want it taken as done", err)
		}
	})
}
