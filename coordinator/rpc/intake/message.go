package intake

import (
	"encoding/binary"
	"time"
)

// prefixLength is how many bytes stand before each message of gRPC: whether it
// is compressed, and its length.
const prefixLength = 5

// incoming follows the messages that come on one stream.
type incoming struct {
	prefix [prefixLength]byte
	have   int       // bytes of prefix; 0: between two messages
	left   uint32    // bytes of the message that are to come
	since  time.Time // when the message began
	whole  bool      // a message has ended in this frame

	cost  int64 // of the frames that hold what has come of the message
	frame int64 // of the frame that is coming
}

// between reports whether no message is under way.
func (in *incoming) between() bool { return in.have == 0 }

// feed takes bytes of a frame of data.
func (in *incoming) feed(p []byte, now time.Time) {
	for len(p) > 0 {
		if in.have < prefixLength {
			if in.have == 0 {
				in.since = now
			}
			n := copy(in.prefix[in.have:], p)
			in.have += n
			p = p[n:]
			if in.have < prefixLength {
				return
			}
			in.left = binary.BigEndian.Uint32(in.prefix[1:])
		}
		n := min(int64(in.left), int64(len(p)))
		in.left -= uint32(n)
		p = p[n:]
		if in.left == 0 {
			in.have, in.whole = 0, true
		}
	}
}

// settle returns how much of the stream's cost is over with a frame.
func (in *incoming) settle() (over int64) {
	switch {
	case in.between():
		over = in.cost
	case in.whole: // the frame holds the beginning of the next
		over = in.cost - in.frame
	}
	in.cost -= over
	in.whole = false
	return over
}

// The sizes of the buffers that gRPC reads a frame of data into. Up to the
// first, a frame has a buffer of its own size.
const (
	smallBuffer  = 1 << 10
	middleBuffer = 4 << 10
	largeBuffer  = 16 << 10
	bufferHeads  = 128 // bytes of what a buffer is kept by
)

// costOf is how many bytes of memory a frame of data takes until its message is
// whole.
func costOf(length int) int64 {
	switch {
	case length <= smallBuffer:
		return int64(length) + bufferHeads
	case length <= middleBuffer:
		return middleBuffer + bufferHeads
	default:
		return int64(max(length, largeBuffer)) + bufferHeads
	}
}
