package rpc_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/accord-fl/accord/coordinator/registry"
	"github.com/accord-fl/accord/coordinator/rpc"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// hostile is a connection whose caller writes each frame by itself.
type hostile struct {
	t      *testing.T
	framer *http2.Framer
	next   uint32 // the id of its next call
	ended  chan struct{}

	mu      sync.Mutex
	answers map[uint32]string // of calls that are over: the code of gRPC, or "reset"
}

// hostile opens a connection and reads what comes on it.
func (w *world) hostile(config *tls.Config) *hostile {
	w.t.Helper()
	raw, err := w.server.dial(w.t.Context(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = raw.Close() })
	config.ServerName, config.NextProtos = "127.0.0.1", []string{"h2"}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	h := &hostile{t: w.t, framer: http2.NewFramer(conn, conn), next: 1, ended: make(chan struct{}), answers: map[uint32]string{}}
	h.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		w.t.Fatal(err)
	}
	if err := h.framer.WriteSettings(); err != nil {
		w.t.Fatal(err)
	}
	go h.listen()
	return h
}

func (h *hostile) listen() {
	defer close(h.ended)
	for {
		f, err := h.framer.ReadFrame()
		if err != nil {
			return
		}
		h.mu.Lock()
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			for _, field := range f.Fields {
				if field.Name == "grpc-status" {
					h.answers[f.StreamID] = field.Value
				}
			}
		case *http2.RSTStreamFrame:
			if h.answers[f.StreamID] == "" {
				h.answers[f.StreamID] = "reset"
			}
		}
		h.mu.Unlock()
	}
}

// call begins one.
func (h *hostile) call(method string) uint32 {
	h.t.Helper()
	var head bytes.Buffer
	encoder := hpack.NewEncoder(&head)
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":path", method}, {":authority", "127.0.0.1"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		if err := encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			h.t.Fatal(err)
		}
	}
	id := h.next
	h.next += 2
	if err := h.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: head.Bytes(), EndHeaders: true}); err != nil {
		h.t.Fatal(err)
	}
	return id
}

// begin announces a message, and sends so many bytes of it; it reports whether the
// server took them.
func (h *hostile) begin(call uint32, announced, bytes int) bool {
	h.t.Helper()
	data := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(announced)), make([]byte, bytes)...)
	for piece := range slices.Chunk(data, 16<<10) {
		if h.framer.WriteData(call, false, piece) != nil {
			return false
		}
	}
	return !over(h.ended)
}

// answer is how a call has ended; "" when it goes on.
func (h *hostile) answer(call uint32) string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.answers[call]
}

func (w *world) stranger() *tls.Config {
	c := w.adminCredential().ClientTLS()
	c.GetClientCertificate = nil
	return c
}

// Who may not call is told so before anything of a message has come, and how long
// a stranger's message may be is judged by what it announces.
func TestStrangersAreRefusedUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.hostile(w.stranger())
		for _, method := range []string{attendMethod, uploadMethod, getMethod, accordv1.EnrollmentService_Renew_FullMethodName, accordv1.AdminService_ReleaseSite_FullMethodName} {
			if got := h.answer(h.call(method)); got != "16" { // codes.Unauthenticated
				t.Errorf("%s without a message: got %q", method, got)
			}
		}
		enroll := h.call(accordv1.EnrollmentService_Enroll_FullMethodName)
		h.begin(enroll, 4<<20, 0)
		if got := h.answer(enroll); got != "8" { // codes.ResourceExhausted
			t.Errorf("an announcement of 4 MB: got %q", got)
		}
		site := w.hostile(w.site("a").ClientTLS())
		for _, method := range []string{getMethod, submitMethod} {
			if got := site.answer(site.call(method)); got != "7" { // codes.PermissionDenied
				t.Errorf("a site calls %s: got %q", method, got)
			}
		}
	})
}

// What strangers make the server keep is bounded: calls at once, bytes, calls and
// frames on a connection.
func TestStrangersHaveLittle(t *testing.T) {
	const enroll = accordv1.EnrollmentService_Enroll_FullMethodName
	for name, goesOn := range map[string]func(h *hostile) error{
		"calls":    func(h *hostile) error { return h.framer.WriteRSTStream(h.call(enroll), http2.ErrCodeCancel) },
		"settings": func(h *hostile) error { return h.framer.WriteSettings() },
		"data":     func(h *hostile) error { return h.framer.WriteData(1, false, make([]byte, 1<<10)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				h := w.hostile(w.stranger())
				stalled := []uint32{h.call(enroll), h.call(enroll), h.call(enroll)}
				if first, last := h.answer(stalled[0]), h.answer(stalled[2]); first != "" || last != "reset" {
					t.Errorf("of three calls at once the first got %q, the last %q", first, last)
				}
				n := 0
				for ; n < 1000 && !over(h.ended); n++ {
					if goesOn(h) != nil {
						break
					}
				}
				if n > 500 || !over(h.ended) {
					t.Errorf("goes on after %d", n)
				}
				refused, err := w.client().Refusals(t.Context())
				if err != nil || !slices.ContainsFunc(refused, func(r rpc.Refusal) bool { return r.Reason == registry.TooMany }) {
					t.Errorf("refusals: %v, %v", refused, err)
				}
			})
		})
	}
}

// A member's messages that have not arrived whole take so much, over all of its
// connections; others go on.
func TestAMemberHasABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		config := w.site("a").ClientTLS()
		other := accordv1.NewEnrollmentServiceClient(w.dial(w.site("b")))
		taken, cut := 0, 0
		const each = 200 << 10 // within a stream's window
		for range 4 {
			h := w.hostile(config.Clone())
			for range 16 {
				if !h.begin(h.call(uploadMethod), 1<<20, each) {
					cut++
					break
				}
				taken += each
			}
		}
		if taken > 4*(4<<20) || cut < 2 {
			t.Errorf("%d bytes were taken, %d of 4 connections cut off", taken, cut)
		}
		if _, err := other.Renew(t.Context(), &accordv1.RenewRequest{RootsOnly: true}); err != nil {
			t.Errorf("another member meanwhile: %v", err)
		}
		refused, err := w.client().Refusals(t.Context())
		if err != nil || len(refused) != 1 || refused[0].Caller != "participant a" || refused[0].Reason != registry.TooMany {
			t.Errorf("refusals: %v, %v", refused, err)
		}
	})
}

// A message that does not arrive whole in its time ends the connection. A stream
// that says nothing between two messages does not.
func TestAMembersMessageHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		slow, silent := w.hostile(w.site("a").ClientTLS()), w.hostile(w.site("b").ClientTLS())
		upload := slow.call(uploadMethod)
		silent.call(uploadMethod)
		if !slow.begin(upload, 1000, 10) {
			t.Fatal("it was cut off at once")
		}
		alive := func(hs ...*hostile) {
			for _, h := range hs {
				_ = h.framer.WritePing(false, [8]byte{}) // a connection that is over is looked at below
			}
			time.Sleep(6 * time.Second)
		}
		for range 4 {
			alive(slow, silent)
		}
		if over(slow.ended) {
			t.Fatal("it was cut off within its time")
		}
		for range 2 {
			alive(silent)
		}
		if !over(slow.ended) || over(silent.ended) {
			t.Errorf("after 36 s the slow one is over: %v, the silent one: %v", over(slow.ended), over(silent.ended))
		}
	})
}

// However fast a member takes calls back, the server does not begin them faster
// than it should.
func TestAMembersResetsAreHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.hostile(w.site("a").ClientTLS())
		began := time.Now()
		for range 10_000 {
			if err := h.framer.WriteRSTStream(h.call(uploadMethod), http2.ErrCodeCancel); err != nil {
				t.Fatal(err)
			}
		}
		last := h.call(getMethod)
		for h.answer(last) == "" && time.Since(began) < time.Minute {
			time.Sleep(time.Second)
		}
		if took := time.Since(began); h.answer(last) != "7" || took < 5*time.Second {
			t.Errorf("10,000 calls took %v, and another got %q", took, h.answer(last))
		}
	})
}
