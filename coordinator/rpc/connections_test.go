package rpc_test

import (
	"crypto/tls"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/coordinator/registry"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/pki"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// connect opens a TLS connection and reads from it until the server hangs up.
func (w *world) connect(config *tls.Config) (ended <-chan struct{}, err error) {
	w.t.Helper()
	raw, err := w.server.dial(w.t.Context(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = raw.Close() })
	config.ServerName, config.NextProtos = "127.0.0.1", []string{"h2"}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(w.t.Context()); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, conn)
	}()
	return done, nil
}

func over(ended <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-ended:
		return true
	default:
		return false
	}
}

// A stream does not outlast the certificate that it was opened with.
func TestAnAttendanceEndsWithItsCertificate(t *testing.T) {
	for _, lifetime := range []time.Duration{time.Minute, 150 * time.Minute} {
		t.Run(lifetime.String(), func(t *testing.T) { attendsFor(t, lifetime) })
	}
}

func attendsFor(t *testing.T, lifetime time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.credential(w.issuer, pki.Identity{Federation: "heart", Role: pki.Participant, Name: "a"}, lifetime)
		w.enroll("a", pki.KeyOf(c.Certificate().Leaf))
		stream, err := accordv1.NewFederationServiceClient(w.dial(c)).Attend(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for err = stream.Send(hello("a", exchange.Protocol)); err == nil; err = stream.Send(renewal()) {
			time.Sleep(time.Second)
			if time.Since(began) > lifetime+time.Minute {
				t.Fatal("the stream goes on")
			}
		}
		for err == nil || errors.Is(err, io.EOF) {
			_, err = stream.Recv()
			if time.Since(began) > lifetime+time.Minute {
				break
			}
		}
		if status.Code(err) != codes.Unavailable && status.Code(err) != codes.Unauthenticated {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took < lifetime-time.Second {
			t.Errorf("the stream ended after %v already", took)
		}
	})
}

// Those who never say who they are cannot hold what others need.
func TestConnectionsOfStrangersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		config := func() *tls.Config {
			c := w.adminCredential().ClientTLS()
			c.GetClientCertificate = nil
			return c
		}
		first, err := w.connect(config())
		if err != nil {
			t.Fatal(err)
		}
		site := w.dial(w.site("a"))
		plain := config()
		for range 256 - 1 {
			if _, err := w.connect(plain.Clone()); err != nil {
				t.Fatal(err)
			}
		}
		if over(first) {
			t.Error("the first was cut off too early")
		}
		last, err := w.connect(config())
		if err != nil || !over(first) || over(last) {
			t.Errorf("one more (%v): the first is over: %v, the last: %v", err, over(first), over(last))
		}
		if _, err := accordv1.NewEnrollmentServiceClient(site).Renew(t.Context(), &accordv1.RenewRequest{RootsOnly: true}); err != nil {
			t.Errorf("a member meanwhile: %v", err)
		}
		time.Sleep(31 * time.Second)
		if !over(last) {
			t.Error("a stranger may stay")
		}
	})
}

// A member has so many connections, and a ticket for none.
func TestConnectionsOfAMemberAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		config := w.site("a").ClientTLS()
		config.ClientSessionCache = tls.NewLRUClientSessionCache(8)
		var first <-chan struct{}
		for range 16 {
			ended, err := w.connect(config.Clone())
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = ended
			}
		}
		if over(first) {
			t.Error("within the bound one was cut off")
		}
		if _, ok := config.ClientSessionCache.Get("127.0.0.1"); ok {
			t.Error("the server gave a ticket")
		}
		if more, err := w.connect(config.Clone()); err == nil && !over(more) {
			t.Error("one more than the bound stays")
		}
		refused, err := w.client().Refusals(t.Context())
		if err != nil || len(refused) != 1 || refused[0].Caller != "participant a" || refused[0].Reason != registry.TooMany {
			t.Errorf("refusals: %v, %v", refused, err)
		}
		if err := w.registry.Revoke(t.Context(), pki.Participant, "a", "alice", ""); err != nil {
			t.Fatal(err)
		}
		if !over(first) {
			t.Error("a revoked member's idle connection stays")
		}
	})
}

// No older TLS is spoken, whatever the caller would like.
func TestNoDowngrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		config := w.site("a").ClientTLS()
		config.MinVersion, config.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
		if _, err := w.connect(config); err == nil {
			t.Error("TLS 1.2 was spoken")
		}
	})
}
