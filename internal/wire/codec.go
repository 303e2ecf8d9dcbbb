package wire

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// The fields that carry chunks in the messages of transfers.
const (
	DownloadChunk protowire.Number = 1 // of DownloadResponse
	UploadChunk   protowire.Number = 2 // of UploadRequest
	SubmitChunk   protowire.Number = 2 // of SubmitRunRequest
)

// codec is gRPC's own but for the chunks of transfers. Protocol Buffers copies
// those into new memory at both ends; here they lie in memory that is used
// again. The bytes on the wire are the same.
type codec struct{ encoding.CodecV2 }

func init() { encoding.RegisterCodecV2(codec{encoding.GetCodecV2(proto.Name)}) }

// outgoing is a message that holds one chunk. Whoever sends it gives the buffer
// away.
type outgoing struct {
	field protowire.Number
	chunk mem.Buffer
}

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	out, ok := v.(outgoing)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	head := protowire.AppendVarint(protowire.AppendTag(nil, out.field, protowire.BytesType), uint64(out.chunk.Len()))
	return mem.BufferSlice{mem.SliceBuffer(head), out.chunk}, nil
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	in, ok := v.(*Incoming)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	if in.bare = in.take(data); in.bare {
		return nil
	}
	return c.CodecV2.Unmarshal(data, in.Message)
}
