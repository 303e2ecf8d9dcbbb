package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// FuzzToReceipt: a receipt has a verdict that is known, or is refused.
func FuzzToReceipt(f *testing.F) {
	for _, verdict := range []exchange.Verdict{exchange.Accepted, exchange.Noted, "unheard of"} {
		data, err := proto.Marshal(FromReceipt(exchange.Receipt{Task: "t", Verdict: verdict, Reason: "r"}))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var sent accordv1.Receipt
		if proto.Unmarshal(data, &sent) != nil {
			return
		}
		receipt, err := ToReceipt(&sent)
		if err != nil {
			if !errors.Is(err, fault.Input) {
				t.Fatalf("%v is not of class fault.Input", err)
			}
			return
		}
		if again, err := ToReceipt(FromReceipt(receipt)); err != nil || again != receipt {
			t.Errorf("got %v (%v), sent %v", again, err, receipt)
		}
	})
}

// FuzzChunkReader: chunks of any sizes, empty ones too, join to what was cut.
func FuzzChunkReader(f *testing.F) {
	f.Add([]byte("abcdef"), []byte{1, 0, 2, 255})
	f.Fuzz(func(t *testing.T, data, sizes []byte) {
		rest := data
		got, err := io.ReadAll(ChunkReader(func() ([]byte, error) {
			n := len(rest)
			if len(sizes) > 0 {
				n, sizes = min(n, int(sizes[0])), sizes[1:]
			} else if n == 0 {
				return nil, io.EOF
			}
			chunk := rest[:n]
			rest = rest[n:]
			return chunk, nil
		}))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("got %q (%v), want %q", got, err, data)
		}
	})
}

// FuzzIncoming: a message holds the chunk that Protocol Buffers finds in it.
func FuzzIncoming(f *testing.F) {
	for _, seed := range []*accordv1.UploadRequest{
		{}, {Part: &accordv1.UploadRequest_Chunk{Chunk: []byte("data")}}, {Part: &accordv1.UploadRequest_Header{Header: &accordv1.UploadHeader{Task: "t"}}},
	} {
		data, err := proto.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(append(data, data...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want accordv1.UploadRequest
		message := &accordv1.UploadRequest{}
		in := Incoming{Message: message, Field: UploadChunk}
		defer in.Close()
		err := encoding.GetCodecV2("proto").Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, &in)
		if plain := proto.Unmarshal(data, &want); (err == nil) != (plain == nil) {
			t.Fatalf("got error %v, want %v", err, plain)
		}
		if err == nil && (!bytes.Equal(in.Chunk(), want.GetChunk()) || !proto.Equal(message.GetHeader(), want.GetHeader())) {
			t.Errorf("got %x and %v, want %v", in.Chunk(), message, &want)
		}
	})
}
