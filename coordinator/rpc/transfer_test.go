package rpc_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// put stores data in a spool.
func put(t *testing.T, s *spool.Spool, data []byte) {
	t.Helper()
	if _, _, err := s.PutFunc(func(w io.Writer) error { _, err := w.Write(data); return err }); err != nil {
		t.Fatal(err)
	}
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
		{"offered, but lost", strings.Repeat("0", 64), 0, codes.Unavailable},
		{"a path", "../../etc/passwd", 0, codes.NotFound},
		{"another's update", digestOf([]byte("update")), 0, codes.NotFound},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{blobs: newSpool(t), hidden: digestOf([]byte("update"))}
				put(t, f.blobs, data)
				put(t, f.blobs, []byte("update"))
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

// A site gets the bytes that a digest names, or none that are not, and the
// coordinator repairs what it can.
func TestDownloadOfADamagedModel(t *testing.T) {
	data := make([]byte, 3<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	for _, repairable := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			blobs, err := spool.Open(dir, spool.Options{})
			if err != nil {
				t.Fatal(err)
			}
			f := &fake{blobs: blobs}
			put := func() error {
				_, _, err := blobs.PutFunc(func(w io.Writer) error { _, err := w.Write(data); return err })
				return err
			}
			if err := put(); err != nil {
				t.Fatal(err)
			}
			if repairable {
				f.mend = func(string) error { return put() }
			}
			wrong := bytes.Clone(data)
			wrong[2<<20] ^= 1
			if err := os.WriteFile(filepath.Join(dir, digestOf(data)), wrong, 0o600); err != nil {
				t.Fatal(err)
			}
			client := serve(t, f, nil, nil).connect()
			got, err := download(t, client, digestOf(data))
			if wantStatus(t, err, codes.Unavailable, digestOf(data)); !bytes.HasPrefix(data, got) {
				t.Errorf("among %d bytes are wrong ones", len(got))
			}
			got, err = download(t, client, digestOf(data))
			if !repairable {
				wantStatus(t, err, codes.Unavailable, digestOf(data))
			} else if err != nil || !bytes.Equal(got, data) {
				t.Errorf("asked again: %d bytes, error %v", len(got), err)
			}
		})
	}
}

// download returns what comes before the end or an error.
func download(t *testing.T, client accordv1.FederationServiceClient, digest string) (got []byte, err error) {
	t.Helper()
	stream, err := client.Download(t.Context(), &accordv1.DownloadRequest{Digest: digest})
	if err != nil {
		t.Fatal(err)
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		got = append(got, m.GetChunk()...)
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
		{"no task", 0, header(nil), whole, codes.FailedPrecondition, "is awaited"},
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
		put(t, f.blobs, data)
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

// cut sends a header and the bytes of data up to end, and breaks off.
func cut(t *testing.T, s *server, h *accordv1.UploadHeader, data []byte, end int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := s.connect().Upload(ctx)
	if err != nil {
		t.Fatal(err)
	}
	err = stream.Send(&accordv1.UploadRequest{Part: &accordv1.UploadRequest_Header{Header: h}})
	for at := int(h.GetOffset()); at < end && err == nil; at += 1000 {
		err = stream.Send(&accordv1.UploadRequest{Part: &accordv1.UploadRequest_Chunk{Chunk: data[at:min(at+1000, end)]}})
	}
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	cancel()
	synctest.Wait()
}

// complete sends what is missing, as the coordinator tells it, and returns how
// much that was and how the upload ended.
func complete(t *testing.T, s *server, h *accordv1.UploadHeader, data []byte) (sent int, err error) {
	t.Helper()
	client := s.connect()
	there, err := client.ResumeUpload(t.Context(), &accordv1.ResumeUploadRequest{Header: h})
	if err != nil {
		return 0, err
	}
	h.Offset = there.GetOffset()
	stream, err := client.Upload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rest := data[h.GetOffset():]
	if err := errors.Join(
		stream.Send(&accordv1.UploadRequest{Part: &accordv1.UploadRequest_Header{Header: h}}),
		stream.Send(&accordv1.UploadRequest{Part: &accordv1.UploadRequest_Chunk{Chunk: rest}}),
	); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	_, err = stream.CloseAndRecv()
	return len(rest), err
}

func TestAnUploadGoesOnWhereItEnded(t *testing.T) {
	data := make([]byte, 100_000)
	for i := range data {
		data[i] = byte(i * i / 7)
	}
	tests := []struct {
		name  string
		other bool                // another server on the same folder
		spoil func(file *os.File) // what is there of it
		sent  int
		code  codes.Code
		then  int // sent the next time
	}{
		{"in the same process", false, nil, 10_000, codes.OK, 0},
		{"after a restart", true, nil, 10_000, codes.OK, 0},
		{"of which a byte has changed", true, func(f *os.File) { _, _ = f.WriteAt([]byte{data[5] + 1}, 5) }, 10_000, codes.Unavailable, 100_000},
		{"of which the end is lost", true, func(f *os.File) { _ = f.Truncate(80_000) }, 20_000, codes.OK, 0},
		{"of which there is too much", true, func(f *os.File) { _ = f.Truncate(200_000) }, 0, codes.Unavailable, 100_000},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				open := func() *fake {
					blobs, err := spool.Open(dir, spool.Options{Sync: true})
					if err != nil {
						t.Fatal(err)
					}
					return &fake{blobs: blobs, limit: 1 << 20}
				}
				h := &accordv1.UploadHeader{Participant: "a", Task: "r/1", Digest: digestOf(data), Size: int64(len(data))}
				f := open()
				s := serve(t, f, nil, nil)
				cut(t, s, h, data, 90_000)
				if test.other {
					if err := s.stop(); err != nil {
						t.Fatal(err)
					}
					f = open()
					s = serve(t, f, nil, nil)
				}
				if test.spoil != nil {
					spoilPartial(t, dir, test.spoil)
				}
				sent, err := complete(t, s, h, data)
				if sent != test.sent || status.Code(err) != test.code {
					t.Errorf("sent %d bytes, which ended in %v; want %d, %v", sent, err, test.sent, test.code)
				}
				if test.code == codes.OK {
					if _, ok := f.blobs.Has(h.GetDigest()); !ok {
						t.Error("it is not there")
					}
					return
				}
				if sent, err := complete(t, s, h, data); sent != test.then || err != nil {
					t.Errorf("the next time: sent %d bytes, which ended in %v; want %d and no error", sent, err, test.then)
				}
			})
		})
	}
}

// spoilPartial changes the one partial artefact in a spool's folder.
func spoilPartial(t *testing.T, dir string, change func(*os.File)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "partial", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("partial artefacts: %v, %v; want one", files, err)
	}
	f, err := os.OpenFile(files[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	change(f)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A connection that died without a word may still be open when its upload
// comes again.
func TestALaterUploadTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := bytes.Repeat([]byte("abc"), 10_000)
		f := &fake{blobs: newSpool(t), limit: 1 << 20}
		s := serve(t, f, nil, nil)
		h := &accordv1.UploadHeader{Participant: "a", Task: "r/1", Digest: digestOf(data), Size: int64(len(data))}
		old, err := s.connect().Upload(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(
			old.Send(&accordv1.UploadRequest{Part: &accordv1.UploadRequest_Header{Header: h}}),
			old.Send(&accordv1.UploadRequest{Part: &accordv1.UploadRequest_Chunk{Chunk: data[:20_000]}}),
		); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if sent, err := complete(t, s, h, data); sent != 10_000 || err != nil {
			t.Errorf("sent %d bytes, which ended in %v; want the last 10000 and no error", sent, err)
		}
		if err := old.Send(&accordv1.UploadRequest{Part: &accordv1.UploadRequest_Chunk{Chunk: data[20_000:]}}); err != nil {
			t.Fatal(err)
		}
		_, err = old.CloseAndRecv()
		wantStatus(t, err, codes.Unavailable, "taken over")
		// One that says that more is there than is.
		h.Offset, h.Task = 5, "r/2"
		f.blobs = newSpool(t)
		early, err := s.connect().Upload(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := early.Send(&accordv1.UploadRequest{Part: &accordv1.UploadRequest_Header{Header: h}}); err != nil {
			t.Fatal(err)
		}
		_, err = early.CloseAndRecv()
		wantStatus(t, err, codes.Unavailable, "only 0 are there")
	})
}
