package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"google.golang.org/grpc/encoding"
	"google.golang.org/protobuf/proto"

	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// convey encodes a message and decodes it into another, as gRPC does.
func convey(from, to any) error {
	c := encoding.GetCodecV2("proto")
	data, err := c.Marshal(from)
	if err != nil {
		return err
	}
	defer data.Free()
	return c.Unmarshal(data, to)
}

// What is sent is what Protocol Buffers would have sent.
func TestChunksAreMessages(t *testing.T) {
	for field, want := range map[*Incoming]proto.Message{
		{Field: UploadChunk, Message: &accordv1.UploadRequest{}}:      &accordv1.UploadRequest{Part: &accordv1.UploadRequest_Chunk{Chunk: []byte("data")}},
		{Field: DownloadChunk, Message: &accordv1.DownloadResponse{}}: &accordv1.DownloadResponse{Chunk: []byte("data")},
		{Field: SubmitChunk, Message: &accordv1.SubmitRunRequest{}}:   &accordv1.SubmitRunRequest{Part: &accordv1.SubmitRunRequest_Chunk{Chunk: []byte("data")}},
	} {
		err := SendChunks(bytes.NewReader([]byte("data")), field.Field, func(message any) error {
			data, err := encoding.GetCodecV2("proto").Marshal(message)
			if err != nil {
				return err
			}
			defer data.Free()
			plain, err := proto.Marshal(want)
			if got := data.Materialize(); !bytes.Equal(got, plain) {
				t.Errorf("%T: got %x, want %x", want, got, plain)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if err := convey(want, field); err != nil || string(field.Chunk()) != "data" || !field.bare {
			t.Errorf("%T: came back as %q (%v), alone: %v", want, field.Chunk(), err, field.bare)
		}
	}
}

// An older peer's chunks are longer.
func TestLongChunks(t *testing.T) {
	long := bytes.Repeat([]byte("long"), ChunkSize)
	in := &Incoming{Field: DownloadChunk, Message: &accordv1.DownloadResponse{}}
	for _, want := range [][]byte{[]byte("short"), long, []byte("short again")} {
		if err := convey(&accordv1.DownloadResponse{Chunk: want}, in); err != nil || !bytes.Equal(in.Chunk(), want) {
			t.Errorf("%d bytes came back as %d (%v)", len(want), len(in.Chunk()), err)
		}
	}
	if kept := cap(*in.buffer); kept > 2*ChunkSize {
		t.Errorf("%d bytes are kept", kept)
	}
	in.Close()
	in.Close()
	if in.buffer != nil || len(in.Chunk()) > 0 {
		t.Error("what was closed holds memory")
	}
}

func TestChunksRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, ChunkSize - 1, ChunkSize, ChunkSize + 1, 3*ChunkSize + 17} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i * 31)
		}
		var chunks [][]byte
		in := &Incoming{Message: &accordv1.UploadRequest{}, Field: UploadChunk}
		err := SendChunks(iotest.OneByteReader(bytes.NewReader(data)), UploadChunk, func(message any) error {
			if err := convey(message, in); err != nil {
				return err
			}
			chunk := in.Chunk()
			if len(chunk) == 0 || len(chunk) > ChunkSize {
				t.Errorf("%d bytes: a chunk of %d", size, len(chunk))
			}
			chunks = append(chunks, bytes.Clone(chunk))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(ChunkReader(func() ([]byte, error) {
			if len(chunks) == 0 {
				return nil, io.EOF
			}
			first := chunks[0]
			chunks = chunks[1:]
			return first, nil
		}))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back as %d (%v)", size, len(got), err)
		}
	}
}

func TestChunkErrors(t *testing.T) {
	broken := errors.New("broken")
	if err := SendChunks(iotest.ErrReader(broken), UploadChunk, func(any) error { return nil }); !errors.Is(err, broken) {
		t.Errorf("a reader's error came back as %v", err)
	}
	if err := SendChunks(bytes.NewReader([]byte("x")), UploadChunk, func(any) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("a sender's error came back as %v", err)
	}
	if _, err := io.ReadAll(ChunkReader(func() ([]byte, error) { return nil, broken })); !errors.Is(err, broken) {
		t.Errorf("a receiver's error came back as %v", err)
	}
}
