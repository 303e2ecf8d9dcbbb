package wire

import (
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// ChunkSize is how many bytes of an artefact travel in one message. With its
// envelope it fills two frames of HTTP/2, and a buffer that gRPC keeps for use
// again; what a transfer takes of memory is some of these.
const ChunkSize = 32<<10 - 64

// maxHead is how many bytes a message of one chunk has beside it.
const maxHead = 16

// MaxMessage bounds one gRPC message, in bytes: a chunk or a document, and
// its envelope.
const MaxMessage = 4 << 20

// SendChunks cuts what r gives into chunks and calls send for each, in order, with
// a message that a stream's SendMsg takes: one that has the chunk in field. An
// error of send ends it and is returned as it is.
func SendChunks(r io.Reader, field protowire.Number, send func(message any) error) error {
	pool := mem.DefaultBufferPool()
	for {
		buf := pool.Get(ChunkSize)
		n, err := io.ReadFull(r, *buf)
		if n > 0 {
			*buf = (*buf)[:n]
			if err := send(outgoing{field, mem.NewBuffer(buf, pool)}); err != nil {
				return err
			}
		} else {
			pool.Put(buf)
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

// Incoming receives the messages of a transfer, one after the other, from a
// stream's RecvMsg. Close it when done.
type Incoming struct {
	// Message takes what is more than a chunk in Field, or something else.
	Message interface {
		proto.Message
		GetChunk() []byte
	}
	Field protowire.Number

	buffer *[]byte // of mem's pool, for messages that are a chunk alone
	chunk  []byte  // of the last such
	bare   bool    // the last message was one
}

// Close gives back the memory that chunks lay in.
func (in *Incoming) Close() {
	if in.buffer != nil {
		mem.DefaultBufferPool().Put(in.buffer)
		in.buffer, in.chunk = nil, nil
	}
}

// Chunk returns the chunk that was received last, valid until the next is.
func (in *Incoming) Chunk() []byte {
	if in.bare {
		return in.chunk
	}
	return in.Message.GetChunk()
}

// take reads a message that is one chunk, as long as SendChunks makes them, and
// nothing else.
func (in *Incoming) take(data mem.BufferSlice) bool {
	size := data.Len()
	if size > ChunkSize+maxHead {
		return false
	}
	if in.buffer == nil {
		in.buffer = mem.DefaultBufferPool().Get(ChunkSize + maxHead)
	}
	message := (*in.buffer)[:size]
	data.CopyTo(message)
	field, kind, tag := protowire.ConsumeTag(message)
	if tag < 0 || field != in.Field || kind != protowire.BytesType {
		return false
	}
	chunk, length := protowire.ConsumeBytes(message[tag:])
	in.chunk = chunk
	return length == size-tag
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
