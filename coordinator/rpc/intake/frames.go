package intake

// The frames of HTTP/2 that matter here (RFC 9113, section 6).
const (
	frameData    = 0x0
	frameHeaders = 0x1
	frameReset   = 0x3

	flagEndStream = 0x1
	flagPadded    = 0x8

	headLength    = 9
	prefaceLength = 24 // of what a client says first
)

// frame is the head of one.
type frame struct {
	kind, flags byte
	stream      uint32
	length      int // of its payload
}

func (f frame) endsStream() bool {
	return f.flags&flagEndStream != 0 && (f.kind == frameData || f.kind == frameHeaders)
}

// follower is told of the frames that a scanner finds, in order.
type follower interface {
	begin(frame) error
	payload(frame, []byte)
	end(frame)
}

// scanner finds the frames in what one side of a connection says, in whatever
// pieces that comes.
type scanner struct {
	skip int // bytes of the preface that are to come
	head [headLength]byte
	have int // bytes of head
	now  frame
	left int // bytes of the payload that are to come
}

// feed passes what p holds to f, until f returns an error.
func (s *scanner) feed(p []byte, f follower) error {
	n := min(s.skip, len(p))
	s.skip -= n
	p = p[n:]
	for len(p) > 0 {
		if s.have < headLength {
			n := copy(s.head[s.have:], p)
			s.have += n
			p = p[n:]
			if s.have < headLength {
				return nil
			}
			s.now = parse(s.head)
			s.left = s.now.length
			if err := f.begin(s.now); err != nil {
				return err
			}
		}
		n := min(s.left, len(p))
		if n > 0 {
			f.payload(s.now, p[:n])
		}
		s.left -= n
		p = p[n:]
		if s.left == 0 {
			f.end(s.now)
			s.have = 0
		}
	}
	return nil
}

func parse(h [headLength]byte) frame {
	return frame{
		length: int(h[0])<<16 | int(h[1])<<8 | int(h[2]),
		kind:   h[3],
		flags:  h[4],
		stream: (uint32(h[5])<<24 | uint32(h[6])<<16 | uint32(h[7])<<8 | uint32(h[8])) &^ (1 << 31),
	}
}
