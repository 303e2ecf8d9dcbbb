package participant_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/exchange"
)

// A site stops training at the deadline and says so, however wrong its own clock
// or the coordinator's is.
func TestTrainingStopsAtTheDeadline(t *testing.T) {
	for _, wrong := range []time.Duration{0, 48 * time.Hour, -48 * time.Hour} {
		t.Run(fmt.Sprint(wrong), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				answered := time.Duration(0)
				f.attend = func(_ int, s *talk) error {
					begin := time.Now()
					task := testTask("a", f.model(1))
					task.Deadline = begin.Add(wrong).Add(10 * time.Minute)
					if err := s.offerAt(task, begin.Add(wrong)); err != nil {
						return err
					}
					_, err := s.reply()
					answered = time.Since(begin)
					return errors.Join(err, s.rest())
				}
				f.serve(t)
				b := &blocking{}
				_, stop := f.run(t.TempDir(), b)
				time.Sleep(time.Hour)
				if err := stop(); err != nil {
					t.Error(err)
				}
				if got := f.last(); got.Outcome != exchange.Failed || !strings.Contains(got.Reason, "the deadline passed") || b.stopped != 1 {
					t.Errorf("got %+v, %d trainings stopped, want that the deadline passed", got, b.stopped)
				}
				if answered != 10*time.Minute {
					t.Errorf("answered after %v, want 10 minutes", answered)
				}
			})
		})
	}
}

// A task whose deadline has passed, on its way or while it waited, is not begun.
func TestATaskIsNotBegunAfterItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.attend = func(_ int, s *talk) error {
			now := time.Now()
			late, first, second := testTask("a", f.model(1)), testTask("a", f.model(1)), testTask("a", f.model(1))
			late.ID, late.Deadline = "run/1.0/train/a", now.Add(-time.Second)
			first.ID, first.Deadline = "run/1.1/train/a", now.Add(time.Hour)
			second.ID, second.Deadline = "run/1.2/train/a", now.Add(time.Minute)
			err := errors.Join(s.offerAt(late, now), s.offerAt(first, now), s.offerAt(second, now))
			for range 3 {
				_, again := s.reply()
				err = errors.Join(err, again)
			}
			return errors.Join(err, s.rest())
		}
		f.serve(t)
		b := &blocking{}
		_, stop := f.run(t.TempDir(), b)
		time.Sleep(2 * time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if b.started != 1 || len(f.replies) != 3 {
			t.Fatalf("%d trainings began, %d replies, want 1 and 3", b.started, len(f.replies))
		}
		for _, i := range []int{0, 2} {
			if r := f.replies[i]; r.Outcome != exchange.Declined || !r.Later || !strings.Contains(r.Reason, "before the training could begin") {
				t.Errorf("got %+v, want it declined for now", r)
			}
		}
	})
}

// Without the coordinator's clock nobody knows when a deadline is; a coordinator
// of the version before says none.
func TestADeadlineByAnUnknownClockStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.attend = f.one
		f.serve(t)
		_, stop := f.run(t.TempDir(), trainerFunc(addHalf))
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := f.last(); got.Outcome != exchange.Done {
			t.Errorf("got %+v, want it done", got)
		}
	})
}
