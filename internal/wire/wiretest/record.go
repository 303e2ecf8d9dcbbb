package wiretest

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// Recorder stands between clients and a server and notes what they say.
type Recorder struct {
	conn  *grpc.ClientConn // to the server
	begin time.Time

	mu    sync.Mutex
	lines Transcript
	calls map[string]int // so far, by method
}

// NewRecorder returns a recorder in front of the server that conn leads to,
// and the server for clients to dial.
func NewRecorder(conn *grpc.ClientConn) (*Recorder, *grpc.Server) {
	r := &Recorder{conn: conn, begin: time.Now(), calls: map[string]int{}}
	return r, server(r.pass)
}

// Act notes something done beside the conversation.
func (r *Recorder) Act(what string) { r.note(Line{Action: what}) }

// Transcript returns what was noted.
func (r *Recorder) Transcript() Transcript {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines
}

func (r *Recorder) note(l Line) {
	l.At = time.Since(r.begin)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, l)
}

// pass carries a call to the server, message by message.
func (r *Recorder) pass(method string, client grpc.ServerStream) error {
	r.mu.Lock()
	r.calls[method]++
	stream := Stream{method, r.calls[method]}
	r.mu.Unlock()
	ctx, cancel := context.WithCancel(client.Context())
	defer cancel()
	upstream, err := open(ctx, r.conn, method)
	if err != nil {
		return err
	}
	go r.passUp(stream, client, upstream) // until the client's stream ends, just after this
	for {
		data, err := receive(upstream)
		if err != nil {
			if errors.Is(err, io.EOF) {
				r.note(Line{Stream: stream, End: true})
				return nil
			}
			return err
		}
		r.note(Line{Stream: stream, Data: data})
		if err := client.SendMsg(&data); err != nil {
			return err
		}
	}
}

// passUp carries what the client says. When that breaks off, the server's
// word on it counts.
func (r *Recorder) passUp(stream Stream, client grpc.ServerStream, upstream grpc.ClientStream) {
	for {
		data, err := receive(client)
		if errors.Is(err, io.EOF) {
			r.note(Line{Stream: stream, Up: true, End: true})
			_ = upstream.CloseSend()
			return
		}
		if err != nil {
			return
		}
		r.note(Line{Stream: stream, Up: true, Data: data})
		if upstream.SendMsg(&data) != nil {
			return
		}
	}
}

// receive takes the next message off a stream of bytes.
func receive(s interface{ RecvMsg(any) error }) ([]byte, error) {
	var data []byte
	err := s.RecvMsg(&data)
	return data, err
}
