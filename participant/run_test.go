package participant_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/accord-fl/accord/exchange"
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
		if left := names(t, dir+"/outbox"); len(left) != 0 {
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
		f.reachable = false
		logs, stop := f.run(t.TempDir(), trainerFunc(addHalf))
		time.Sleep(10 * time.Minute)
		lines := logs.FilterMessage("coordinator unreachable").All()
		if len(lines) < 25 || len(lines) > 90 {
			t.Errorf("%d tries in ten minutes, want one every quarter of a minute or so", len(lines))
		}
		first, last := lines[0].ContextMap(), lines[len(lines)-1].ContextMap()
		if want := "dial tcp 127.0.0.1:7443: connect: connection refused"; first["reason"] != want {
			t.Errorf("got reason %q, want %q", first["reason"], want)
		}
		if first["next_try"].(time.Duration) > 2*time.Second || last["next_try"].(time.Duration) < 5*time.Second {
			t.Errorf("waits of %v first and %v last, want backoff", first["next_try"], last["next_try"])
		}
		f.mu.Lock()
		f.reachable = true
		f.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if logs.FilterMessage("attending").Len() != 1 {
			t.Error("did not attend once the coordinator was there")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
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
				if left := names(t, dir+"/outbox"); len(left) != 0 {
					t.Errorf("the outbox holds %v after the receipt", left)
				}
			})
		})
	}
}
