package rpc_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// wantStatus checks how a call ended.
func wantStatus(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %v with %q", err, code, text)
	}
}

// versioned is a hello that tells a version.
func versioned(version string) *accordv1.AttendRequest {
	h := hello("a", exchange.Protocol)
	h.GetHello().Version = version
	return h
}

func TestHelloIsChecked(t *testing.T) {
	tests := []struct {
		name  string
		first *accordv1.AttendRequest
		want  string
	}{
		{"a name that is a path", hello("../x", exchange.Protocol), "participant name"},
		{"no name", hello("", exchange.Protocol), "participant name"},
		{"an older protocol", hello("a", exchange.Protocol-1), "upgrade the participant"},
		{"a newer protocol", hello("a", exchange.Protocol+1), "upgrade the coordinator"},
		{"no hello", renewal(), "must be a hello"},
		{"a version that forges a row", versioned("v1\nathens  participant  attending"), `version "v1\nathens  participant  attending"`},
		{"a version that redraws the screen", versioned("v1\x1b[2J\u202e"), `version "v1\x1b[2J\u202e"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				p := serve(t, f, nil, nil).open()
				p.say(test.first)
				wantStatus(t, p.end(), codes.InvalidArgument, test.want)
				if len(f.links) != 0 {
					t.Error("was attached")
				}
			})
		})
	}
}

func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		s := serve(t, f, nil, nil)
		wantStatus(t, s.open().end(), codes.DeadlineExceeded, "lease") // it never said hello
		lively := s.attend("lively")

		for range 10 {
			time.Sleep(lease - time.Second)
			lively.say(renewal())
		}
		if n := f.detachments(); n != 0 {
			t.Fatalf("%d detached in spite of renewals", n)
		}
		time.Sleep(lease - time.Second)
		if n := f.detachments(); n != 0 {
			t.Errorf("detached before the lease ran out")
		}
		time.Sleep(2 * time.Second)
		if n := f.detachments(); n != 1 {
			t.Errorf("%d detached after the lease ran out, want 1", n)
		}
		wantStatus(t, lively.end(), codes.DeadlineExceeded, "lease")
	})
}

func TestOffersAndCancelsArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		p := serve(t, f, nil, nil).attend("a")
		link := f.link(0)
		if link.Name() != "a" {
			t.Errorf("got name %q", link.Name())
		}
		link.Offer(exchange.Task{ID: "run/1/0/a", Exchange: exchange.Training, Run: "run"})
		link.Cancel("run/1/0/a", "too late")
		m, err := p.Recv()
		if o := m.GetOffer(); err != nil || o.GetTask() != "run/1/0/a" || o.GetExchange() != "train" || !strings.Contains(string(o.GetPayload()), `"run":"run"`) {
			t.Errorf("got %v (%v), want the offer", m, err)
		}
		m, err = p.Recv()
		if c := m.GetCancel(); err != nil || c.GetTask() != "run/1/0/a" || c.GetReason() != "too late" {
			t.Errorf("got %v (%v), want the cancel", m, err)
		}
	})
}

func TestASecondStreamReplacesTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		s := serve(t, f, nil, nil)
		first, second := s.attend("a"), s.attend("a")
		f.link(0).HangUp(coordinator.ErrReplaced) // as the coordinator does
		wantStatus(t, first.end(), codes.Aborted, "another link of this process")
		f.link(1).Cancel("x", "")
		if _, err := second.Recv(); err != nil {
			t.Errorf("the second stream ended: %v", err)
		}
	})
}

func TestASlowParticipantHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		p := serve(t, f, nil, nil).attend("slow")
		link := f.link(0)
		large := exchange.Task{ID: "t", Run: strings.Repeat("x", 10_000)}
		begin := time.Now()
		for range 1000 { // none is read
			link.Offer(large)
		}
		if time.Since(begin) != 0 {
			t.Error("Offer waited")
		}
		wantStatus(t, p.end(), codes.ResourceExhausted, "wait to be read")
		if n := f.detachments(); n != 1 {
			t.Errorf("%d detached, want 1", n)
		}
		link.Offer(large) // and after the end, too
	})
}

func TestFarewell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		p := serve(t, f, nil, nil).attend("a")
		p.say(&accordv1.AttendRequest{Message: &accordv1.AttendRequest_Farewell{Farewell: &accordv1.Farewell{Reason: "stopped"}}})
		if err := p.end(); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want a clean end", err)
		}
		if n := f.detachments(); n != 1 {
			t.Errorf("%d detached, want 1", n)
		}
	})
}

func TestRepliesAreJudged(t *testing.T) {
	declined := exchange.Reply{Task: "t", Outcome: exchange.Declined, Reason: "no data"}
	tests := []struct {
		name     string
		document any
		err      error // of the coordinator
		verdict  accordv1.Verdict
		reason   string
		code     codes.Code // with which the stream ends instead
	}{
		{"understood", declined, nil, accordv1.Verdict_VERDICT_NOTED, "noted: no data", 0},
		{"a reason that redraws the screen", exchange.Reply{Task: "t", Outcome: exchange.Declined, Reason: "no\x1b[2J\ndata"}, nil, accordv1.Verdict_VERDICT_NOTED, `noted: no\x1b[2J\ndata`, 0},
		{"no JSON", []byte("{"), nil, accordv1.Verdict_VERDICT_REJECTED, "unexpected end of JSON", 0},
		{"two tasks", exchange.Reply{Task: "u"}, nil, accordv1.Verdict_VERDICT_REJECTED, `about task "u"`, 0},
		{"not valid", declined, fault.Inputf("negative samples"), accordv1.Verdict_VERDICT_REJECTED, "negative samples", 0},
		{"artefact gone", declined, fault.As(fault.Input, spool.ErrNotFound), 0, "no such artefact", codes.Unavailable},
		{"journal broken", declined, errors.New("disk full"), 0, "disk full", codes.Internal},
		{"coordinator stopping", declined, fault.As(fault.Unavailable, errors.New("stopped")), 0, "stopped", codes.Unavailable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answer: func(participant string, r exchange.Reply) (exchange.Receipt, error) {
					if participant != "a" {
						t.Errorf("attributed to %q", participant)
					}
					return exchange.Receipt{Task: r.Task, Verdict: exchange.Noted, Reason: "noted: " + r.Reason}, test.err
				}}
				p := serve(t, f, nil, nil).attend("a")
				p.reply("t", test.document)
				m, err := p.Recv()
				if test.code != 0 {
					wantStatus(t, err, test.code, test.reason)
					return
				}
				if r := m.GetReceipt(); err != nil || r.GetTask() != "t" || r.GetVerdict() != test.verdict || !strings.Contains(r.GetReason(), test.reason) {
					t.Errorf("got %v (%v), want %v with %q", m, err, test.verdict, test.reason)
				}
			})
		})
	}
}

// What cannot be read is the answer of a site that was asked, and not counted
// against it as noise.
func TestAwaitedRepliesThatAreNotUnderstoodAreRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, &fake{asked: "t"}, nil, nil).attend("a")
		for n := range 20 {
			p.reply("t", []byte(`{"outcome": `+strings.Repeat("9", 5000)+"}"))
			m, err := p.Recv()
			r := m.GetReceipt()
			if err != nil || r.GetVerdict() != accordv1.Verdict_VERDICT_REJECTED || !strings.HasPrefix(r.GetReason(), "recorded: ") {
				t.Fatalf("reply %d: got %v (%v)", n, m, err)
			}
			if len(r.GetReason()) > 1000 {
				t.Fatalf("a reason of %d bytes", len(r.GetReason()))
			}
		}
	})
}

// Who sends nothing that is understood is told so for a while, and then sent
// away.
func TestRepliesThatAreNotUnderstoodEndTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		p := serveLogged(t, &fake{}, nil, nil, zap.New(core)).attend("a")
		for range 20 {
			if p.Send(&accordv1.AttendRequest{Message: &accordv1.AttendRequest_Reply{Reply: &accordv1.Reply{Task: strings.Repeat("t", 1000), Payload: []byte("{")}}}) != nil {
				break
			}
		}
		wantStatus(t, p.end(), codes.InvalidArgument, "not understood")
		synctest.Wait()
		for _, e := range logs.FilterMessage("reply rejected").All() {
			if len(e.ContextMap()["task"].(string)) > 200 {
				t.Error("a log line holds whatever a site likes")
			}
		}
		if n := logs.FilterMessage("reply rejected").Len(); n != 16 {
			t.Errorf("%d lines", n)
		}
	})
}

func TestAMessageOutOfPlaceEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		p := serve(t, f, nil, nil).attend("a")
		p.say(hello("b", exchange.Protocol))
		wantStatus(t, p.end(), codes.InvalidArgument, "not expected here")
	})
}

func TestStoppingHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		s := serve(t, f, nil, nil)
		silent, attending := s.open(), s.attend("a")
		synctest.Wait()
		begin := time.Now()
		if err := s.stop(); err != nil {
			t.Errorf("Serve returned %v", err)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("took %v", took)
		}
		wantStatus(t, attending.end(), codes.Unavailable, "stopping")
		wantStatus(t, silent.end(), codes.Unavailable, "")
		if n := f.detachments(); n != 1 {
			t.Errorf("%d detached, want 1", n)
		}
	})
}

func TestStoppingBeforeTheStart(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			if err := serve(t, f, nil, nil).stop(); err != nil {
				t.Errorf("Serve returned %v", err)
			}
		})
	}
}
