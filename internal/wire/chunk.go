package wire

import (
	"errors"
	"fmt"
	"io"
)

// ChunkSize is how many bytes of an artefact travel in one message. With its
// envelope it fits a buffer of 32 KiB, which gRPC keeps for use again; what a
// transfer takes of memory is some of these.
const ChunkSize = 32<<10 - 64

// MaxMessage bounds one gRPC message, in bytes: a chunk or a document, and
// its envelope.
const MaxMessage = 4 << 20

// SendChunks cuts what r gives into chunks and calls send for each, in order.
// A chunk is valid until send returns. An error of send ends it and is
// returned as it is.
func SendChunks(r io.Reader, send func(chunk []byte) error) error {
	buf := make([]byte, ChunkSize)
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			if err := send(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		default:
			return fmt.Errorf("read artefact: %w", err)
		}
	}
}

// ChunkReader joins the chunks that next gives into one stream. next returns
// io.EOF after the last chunk; a chunk stays valid until the next call.
func ChunkReader(next func() ([]byte, error)) io.Reader { return &chunkReader{next: next} }

type chunkReader struct {
	next func() ([]byte, error)
	rest []byte
}

func (c *chunkReader) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		chunk, err := c.next()
		if err != nil {
			return 0, err
		}
		c.rest = chunk
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
