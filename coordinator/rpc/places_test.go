package rpc_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/exchange"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// helloOf is a hello of one of a's processes.
func helloOf(process, federation string) *accordv1.AttendRequest {
	m := hello("a", exchange.Protocol)
	m.GetHello().Process, m.GetHello().Federation = []byte(process), federation
	return m
}

// wantLater checks a refusal that says when to ask again.
func wantLater(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	wantStatus(t, err, code, text)
	for _, detail := range status.Convert(err).Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok && retry.GetRetryDelay().AsDuration() == lease {
			return
		}
	}
	t.Errorf("%v does not say when to ask again", err)
}

// The second process of a site is told where the first is; an admin lets it in.
func TestASecondProcessWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startWith(t, t.TempDir(), nil, nil)
		first := n.open()
		first.say(helloOf("first", ""))
		if m, err := first.Recv(); err != nil || m.GetWelcome() == nil {
			t.Fatalf("got %v, %v", m, err)
		}
		began := func(process string) error {
			p := n.open()
			p.say(helloOf(process, ""))
			_, err := p.Recv()
			return err
		}
		wantLater(t, began("second"), codes.Unavailable, "from bufconn")
		wantLater(t, began(""), codes.Unavailable, "accord members release a")
		admin := n.admin()
		members, err := admin.Members(t.Context())
		if err != nil || len(members) != 1 || members[0].From != "bufconn" || members[0].Process != fmt.Sprintf("%x", "first") || members[0].Rival == nil || members[0].Rival.From != "bufconn" {
			t.Fatalf("got %+v, %v", members, err)
		}
		had, err := admin.Release(t.Context(), "a")
		if err != nil || had.Process != fmt.Sprintf("%x", "first") {
			t.Fatalf("got %+v, %v", had, err)
		}
		wantLater(t, first.end(), codes.Unavailable, "given the place of a to another process")
		if err := began("second"); err != nil {
			t.Errorf("after the release: %v", err)
		}
	})
}

// A place is free when the lease of its holder has run out.
func TestAPlaceEndsWithItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startWith(t, t.TempDir(), nil, nil)
		first := n.open()
		first.say(helloOf("first", ""))
		time.Sleep(lease - time.Second)
		second := n.open()
		second.say(helloOf("second", ""))
		_, err := second.Recv()
		wantLater(t, err, codes.Unavailable, "another process attends as a")
		time.Sleep(2 * time.Second)
		second = n.open()
		second.say(helloOf("second", ""))
		if m, err := second.Recv(); err != nil || m.GetWelcome() == nil {
			t.Errorf("got %v, %v", m, err)
		}
	})
}

// Without certificates a federation has a name, which both must know.
func TestAFederationWithoutCertificatesHasAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, &fake{}, nil, func(o *rpc.Options) { o.Federation = "alice" })
		for federation, let := range map[string]bool{"alice": true, "": true, "bob": false} {
			p := s.open()
			p.say(helloOf("p", federation))
			m, err := p.Recv()
			if !let {
				wantLater(t, err, codes.FailedPrecondition, "federation alice, participant a is of bob")
				continue
			}
			if err != nil || m.GetWelcome().GetFederation() != "alice" {
				t.Errorf("%q: got %v, %v", federation, m, err)
			}
		}
	})
}

// Who begins to attend again and again is held up, and others are not.
func TestArrivalsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		s := serve(t, f, nil, nil)
		client := s.connect()
		let := 0
		for range 200 {
			stream, err := client.Attend(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			sent(t, stream.Send(hello("a", exchange.Protocol)))
			if _, err := stream.Recv(); err == nil {
				let++
			} else {
				wantStatus(t, err, codes.ResourceExhausted, "too often")
			}
			sent(t, stream.CloseSend())
		}
		if let != 20 {
			t.Errorf("%d of 200 were let in at once, want 20", let)
		}
		s.attend("b")
		time.Sleep(time.Minute)
		s.attend("a")
	})
}
