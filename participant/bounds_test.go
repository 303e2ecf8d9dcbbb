package participant_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/model"
)

// A coordinator cannot make a site keep more and more: not tasks that wait, nor
// replies that it does not acknowledge.
func TestWhatWaitsAtASiteIsBounded(t *testing.T) {
	big := model.Contract{}
	for i := range 20000 {
		big.Tensors = append(big.Tensors, model.TensorSpec{Name: fmt.Sprintf("%0100d", i), DType: "F32", Shape: []int{1}})
	}
	for _, c := range []struct {
		name   string
		tasks  int
		offer  func(i int, t *exchange.Task)
		reason string
		refuse int // at least
	}{
		{"of one run", 20, func(int, *exchange.Task) {}, "newer tasks of the run", 15},
		{"of many runs", 100, func(i int, t *exchange.Task) { t.Run = fmt.Sprintf("run-%d", i) }, "64 tasks are waiting", 35},
		{"large ones", 20, func(i int, t *exchange.Task) { t.Run, t.Contract = fmt.Sprintf("run-%d", i), big }, "too large together", 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				f.attend = func(_ int, s *talk) error {
					task := testTask("a", f.model(1))
					task.Run = "first"
					task.ID = "first/1.0/train/a"
					err := s.offer(task)
					for i := range c.tasks {
						task := testTask("a", f.model(1))
						task.ID = fmt.Sprintf("run/1.%d/train/a", i)
						c.offer(i, &task)
						err = errors.Join(err, s.offer(task))
					}
					for err == nil {
						_, err = s.reply()
					}
					return err
				}
				f.serve(t)
				_, stop := f.run(t.TempDir(), &blocking{})
				time.Sleep(time.Minute)
				if err := stop(); err != nil {
					t.Error(err)
				}
				refused := 0
				for _, r := range f.replies {
					if r.Outcome == exchange.Declined && r.Later && strings.Contains(r.Reason, c.reason) {
						refused++
					}
				}
				if refused < c.refuse || refused != len(f.replies) || refused == c.tasks {
					t.Errorf("%d of %d replies decline for now with %q, want at least %d", refused, len(f.replies), c.reason, c.refuse)
				}
			})
		})
	}
	t.Run("replies without a receipt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			f.attend = func(n int, s *talk) error {
				for i := range 400 {
					task := testTask("somebody else", f.model(1))
					task.ID = fmt.Sprintf("run/%d.%d/train/a", n, i)
					if err := s.offer(task); err != nil {
						return err
					}
				}
				return s.rest()
			}
			f.serve(t)
			dir := t.TempDir()
			logs, stop := f.run(dir, trainerFunc(addHalf))
			time.Sleep(time.Minute)
			if err := stop(); err != nil {
				t.Error(err)
			}
			if n := len(unanswered(t, dir)); n == 0 || n > 300 {
				t.Errorf("%d replies are kept of %d offers", n, 400*f.attended)
			}
			said := false
			for _, l := range logs.FilterMessage("connection to the coordinator lost").All() {
				said = said || strings.Contains(fmt.Sprint(l.ContextMap()["reason"]), "has not acknowledged")
			}
			if !said {
				t.Error("the log does not say that the coordinator acknowledges nothing")
			}
		})
	})
}
