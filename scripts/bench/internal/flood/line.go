package flood

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"net"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// line is a connection whose caller writes each frame by itself. gRPC's own
// client would not do what a hostile one does.
type line struct {
	conn   net.Conn
	framer *http2.Framer
	head   bytes.Buffer // of the headers that are encoded
	hpack  *hpack.Encoder

	mu      sync.Mutex
	changed *sync.Cond
	initial int64            // what a stream may send at first
	whole   int64            // what all may send now
	streams map[uint32]int64 // what each may
	next    uint32           // the next stream's id
	over    error            // the connection has ended
}

// dial opens a connection; config nil: without TLS.
func dial(ctx context.Context, address string, config *tls.Config) (*line, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if config != nil {
		config = config.Clone()
		config.NextProtos, config.ServerName = []string{"h2"}, "127.0.0.1"
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close() // it is of no use
			return nil, err
		}
		conn = secure
	}
	l := &line{conn: conn, framer: http2.NewFramer(conn, conn), initial: 65535, whole: 65535, streams: map[uint32]int64{}, next: 1}
	l.changed, l.hpack = sync.NewCond(&l.mu), hpack.NewEncoder(&l.head)
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		return nil, err
	}
	if err := l.framer.WriteSettings(); err != nil {
		return nil, err
	}
	go l.listen()
	return l, nil
}

func (l *line) close() { _ = l.conn.Close() } // it has served

// listen keeps account of what may be sent, until the connection ends.
func (l *line) listen() {
	for {
		f, err := l.framer.ReadFrame()
		l.mu.Lock()
		if err != nil {
			l.over = err
			l.changed.Broadcast()
			l.mu.Unlock()
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if v, ok := f.Value(http2.SettingInitialWindowSize); ok {
				for id := range l.streams {
					l.streams[id] += int64(v) - l.initial
				}
				l.initial = int64(v)
			}
		case *http2.WindowUpdateFrame:
			if f.StreamID == 0 {
				l.whole += int64(f.Increment)
			} else if _, open := l.streams[f.StreamID]; open {
				l.streams[f.StreamID] += int64(f.Increment)
			}
		case *http2.RSTStreamFrame:
			delete(l.streams, f.StreamID)
		case *http2.HeadersFrame:
			if f.StreamEnded() {
				delete(l.streams, f.StreamID)
			}
		}
		l.changed.Broadcast()
		l.mu.Unlock()
	}
}

// open begins a call and returns its stream.
func (l *line) open(method string) (uint32, error) {
	l.head.Reset()
	for _, h := range [][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":path", method}, {":authority", "127.0.0.1"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		if err := l.hpack.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}); err != nil {
			return 0, err
		}
	}
	l.mu.Lock()
	id := l.next
	l.next += 2
	l.streams[id] = l.initial
	l.mu.Unlock()
	return id, l.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: l.head.Bytes(), EndHeaders: true})
}

// say sends a whole message.
func (l *line) say(stream uint32, message []byte) error {
	return l.begin(stream, len(message), len(message), 16<<10, message)
}

// begin sends so many bytes of a message of the length announced, in frames of a
// size, as the other side lets it. It returns when they are sent, or never will
// be.
func (l *line) begin(stream uint32, announced, bytes, frame int, message []byte) error {
	data := binary.BigEndian.AppendUint32([]byte{0}, uint32(announced))
	if message == nil {
		message = make([]byte, bytes)
	}
	data = append(data, message...)
	for len(data) > 0 {
		n, err := l.allowance(stream, min(frame, len(data)))
		if err != nil || n == 0 {
			return err
		}
		if err := l.framer.WriteData(stream, false, data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// allowance waits until some of so many bytes may be sent on a stream; 0: none
// may, ever.
func (l *line) allowance(stream uint32, bytes int) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		window, open := l.streams[stream]
		switch {
		case l.over != nil:
			return 0, l.over
		case !open:
			return 0, nil
		case window > 0 && l.whole > 0:
			n := min(int64(bytes), window, l.whole)
			l.streams[stream] -= n
			l.whole -= n
			return int(n), nil
		}
		l.changed.Wait()
	}
}

// ended reports whether the connection is over.
func (l *line) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over != nil
}
