package participant_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/participant"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunTrainsAndReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.attend = func(_ int, s *talk) error {
			if s.hello.GetName() != "a" || s.hello.GetProtocol() != exchange.Protocol || s.hello.GetCapabilities().GetTrainer() != "builtin" {
				t.Errorf("got hello %v", s.hello)
			}
			err := s.offer(testTask("a", f.model(1)))
			if err != nil {
				return err
			}
			reply, err := s.reply()
			if err != nil {
				return err
			}
			f.mu.Lock()
			if f.uploaded[reply.Update.Artefacts[exchange.Delta].Digest] == nil {
				t.Error("the reply came before its artefact")
			}
			f.mu.Unlock()
			return errors.Join(s.receipt(reply.Task, accordv1.Verdict_VERDICT_ACCEPTED), s.rest())
		}
		f.serve(t)
		dir := t.TempDir()
		logs, stop := f.run(dir, trainerFunc(addHalf))
		time.Sleep(5 * time.Minute) // many leases
		if err := stop(); err != nil {
			t.Errorf("Run returned %v after a clean stop", err)
		}
		if got := f.last(); got.Outcome != exchange.Done || got.Update.Samples != 12 {
			t.Errorf("got reply %+v", got)
		}
		if f.attended != 1 {
			t.Errorf("attended %d times", f.attended)
		}
		if n := logs.FilterMessage("reply received").Len(); n != 1 {
			t.Errorf("%d receipts in the log, want 1", n)
		}
		if left := unanswered(t, dir); len(left) != 0 {
			t.Errorf("the outbox holds %v after the receipt", left)
		}
	})
}

func TestRunRenewsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		renewals := 0
		f.attend = func(_ int, s *talk) error {
			for {
				m, err := s.Recv()
				if err != nil || m.GetFarewell() != nil {
					return err
				}
				if m.GetRenewal() != nil {
					renewals++
				}
			}
		}
		f.serve(t)
		_, stop := f.run(t.TempDir(), trainerFunc(addHalf))
		time.Sleep(5 * lease)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if renewals < 14 || renewals > 16 {
			t.Errorf("%d renewals in 5 leases, want about 15", renewals)
		}
	})
}

func TestRunRetriesAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{attend: func(_ int, s *talk) error { return s.rest() }}
		f.serve(t)
		f.reach(false)
		logs, stop := f.run(t.TempDir(), trainerFunc(addHalf))
		time.Sleep(10 * time.Minute)
		lines := logs.FilterMessage("coordinator unreachable").All()
		if len(lines) < 50 || len(lines) > 130 {
			t.Errorf("%d tries in ten minutes, want one every eight seconds or so", len(lines))
		}
		first := lines[0].ContextMap()
		if want := "dial tcp 127.0.0.1:7443: connect: connection refused"; first["reason"] != want {
			t.Errorf("got reason %q, want %q", first["reason"], want)
		}
		limit, longest := 500*time.Millisecond, time.Duration(0)
		for i, line := range lines {
			wait := line.ContextMap()["next_try"].(time.Duration)
			if longest = max(longest, wait); wait > limit {
				t.Errorf("waits %v before try %d, want at most %v", wait, i+2, limit)
			}
			limit = min(2*limit, 15*time.Second)
		}
		if longest < 5*time.Second {
			t.Errorf("waits for %v at most, want backoff", longest)
		}
		f.reach(true)
		time.Sleep(2 * time.Minute)
		if logs.FilterMessage("attending").Len() != 1 {
			t.Error("did not attend once the coordinator was there")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A coordinator that has stopped dead, or whose packets are dropped, closes no
// connection.
func TestRunNoticesASilentCoordinator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{attend: func(_ int, s *talk) error { return s.rest() }}
		f.serve(t)
		var first atomic.Pointer[silenced]
		o := f.options(t.TempDir())
		o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			conn, err := f.dial(ctx, addr)
			if err != nil {
				return nil, err
			}
			s := &silenced{Conn: conn}
			first.CompareAndSwap(nil, s)
			return s, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- participant.Run(ctx, o, trainerFunc(addHalf), zap.NewNop()) }()
		time.Sleep(time.Minute)
		first.Load().silent.Store(true)
		time.Sleep(16 * time.Second) // a ping after 10 s, 5 s for the answer, half a second at most until the next try
		f.mu.Lock()
		if f.attended != 2 {
			t.Errorf("attended %d times, want 2: before and after the silence", f.attended)
		}
		f.mu.Unlock()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

// silenced is a connection on which nothing arrives any more, either way, once
// it is silent.
type silenced struct {
	net.Conn
	silent atomic.Bool
}

func (s *silenced) Read(p []byte) (int, error) {
	for {
		n, err := s.Conn.Read(p)
		if err != nil || !s.silent.Load() {
			return n, err
		}
	}
}

func (s *silenced) Write(p []byte) (int, error) {
	if s.silent.Load() {
		return len(p), nil
	}
	return s.Conn.Write(p)
}

func TestRunSendsAnUnacknowledgedUpdateAgain(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart %v", restart), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				f.attend = func(n int, s *talk) error {
					if err := s.offer(testTask("a", f.model(1))); err != nil { // as a coordinator does on attendance
						return err
					}
					r, err := s.reply()
					if err != nil {
						return err
					}
					if n == 0 {
						f.reach(!restart) // not before it has started again
						return lost
					}
					return errors.Join(s.receipt(r.Task, accordv1.Verdict_VERDICT_DUPLICATE), s.rest())
				}
				f.serve(t)
				dir := t.TempDir()
				trained := &counting{}
				logs, stop := f.run(dir, trained)
				if restart {
					time.Sleep(10 * time.Millisecond)
					if err := stop(); err != nil {
						t.Error(err)
					}
					f.reach(true)
					logs, stop = f.run(dir, trained)
				}
				time.Sleep(time.Minute)
				if err := stop(); err != nil {
					t.Error(err)
				}
				replies := f.replies
				if len(replies) != 2 || replies[0].Task != replies[1].Task || replies[0].Update.Artefacts["delta"] != replies[1].Update.Artefacts["delta"] {
					t.Errorf("got replies %+v, want the same one twice", replies)
				}
				if trained.n != 1 {
					t.Errorf("trained %d times, want 1", trained.n)
				}
				if !restart && logs.FilterMessage("connection to the coordinator lost").Len() != 1 {
					t.Error("did not say that the connection was lost")
				}
				if left := unanswered(t, dir); len(left) != 0 {
					t.Errorf("the outbox holds %v after the receipt", left)
				}
			})
		})
	}
}
