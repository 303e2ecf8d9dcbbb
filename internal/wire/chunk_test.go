package wire_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/accord-fl/accord/internal/wire"
)

func TestChunksRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, wire.ChunkSize - 1, wire.ChunkSize, wire.ChunkSize + 1, 3*wire.ChunkSize + 17} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i * 31)
		}
		var chunks [][]byte
		err := wire.SendChunks(iotest.OneByteReader(bytes.NewReader(data)), func(chunk []byte) error {
			if len(chunk) == 0 || len(chunk) > wire.ChunkSize {
				t.Errorf("%d bytes: a chunk of %d", size, len(chunk))
			}
			chunks = append(chunks, bytes.Clone(chunk))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(wire.ChunkReader(func() ([]byte, error) {
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
	if err := wire.SendChunks(iotest.ErrReader(broken), func([]byte) error { return nil }); !errors.Is(err, broken) {
		t.Errorf("a reader's error came back as %v", err)
	}
	if err := wire.SendChunks(bytes.NewReader([]byte("x")), func([]byte) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("a sender's error came back as %v", err)
	}
	if _, err := io.ReadAll(wire.ChunkReader(func() ([]byte, error) { return nil, broken })); !errors.Is(err, broken) {
		t.Errorf("a receiver's error came back as %v", err)
	}
}
