package coordinator

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
)

// published is a Publisher that takes its time.
type published struct {
	takes    time.Duration
	fail     int // so many times first
	training []time.Duration
	told     []int
}

func (p *published) Publish(ctx context.Context, v Publication) error {
	time.Sleep(p.takes)
	if p.fail--; p.fail >= 0 {
		return errors.New("disk full")
	}
	p.training, p.told = append(p.training, v.Training), append(p.told, len(v.Told))
	return ctx.Err()
}

// Round r trains for 10·r seconds. A version that is published late, or not at
// once, is still told how long its own round trained, and what its own updates
// told.
func TestReleaseBesideTheNextRound(t *testing.T) {
	for name, p := range map[string]*published{
		"slowly":         {takes: 25 * time.Second},
		"not at once":    {fail: 1},
		"not for a time": {fail: 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, t.TempDir(), nil, func(o *Options) { o.Publisher = p })
				defer w.close()
				defer attend(t.Context(), w.trains("x"), w.trains("y"))()
				d := definition(3)
				d.MinSites, d.Retries = 2, 3
				if err := w.submit(d, params(1, 2, 3, 4)); err != nil {
					t.Fatal(err)
				}
				if s := w.end("r"); s.Phase != round.Completed || len(s.Published) != 3 || s.Reason != "" {
					t.Errorf("got %s with %d versions, reason %q", s.Phase, len(s.Published), s.Reason)
				}
				if diff := cmp.Diff([]time.Duration{10 * time.Second, 20 * time.Second, 30 * time.Second}, p.training); diff != "" {
					t.Errorf("times of training differ (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]int{2, 2, 2}, p.told); diff != "" {
					t.Errorf("what updates told differs (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A run that fails in its second round still publishes the version of its first.
func TestLastVersionBeforeFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &published{takes: 25 * time.Second}
		w := start(t, t.TempDir(), nil, func(o *Options) { o.Publisher = p })
		defer w.close()
		s := w.site("x", 1)
		s.reply = func(task exchange.Task) exchange.Reply {
			if task.Round > 1 {
				return exchange.Reply{Task: task.ID, Outcome: exchange.Failed, Reason: "training diverged"}
			}
			return s.honest(task)
		}
		defer attend(t.Context(), s)()
		d := definition(3)
		d.MinSites, d.Retries = 1, 0
		if err := w.submit(d, params(1, 2, 3, 4)); err != nil {
			t.Fatal(err)
		}
		got := w.end("r")
		if got.Phase != round.Failed || len(got.Published) != 1 || len(p.training) != 1 || got.Model != got.Published[0].Model {
			t.Errorf("got %s with %d versions, %d of them published, model %.8s", got.Phase, len(got.Published), len(p.training), got.Model)
		}
	})
}

// trains is a site whose training takes 10 seconds more each round.
func (w *world) trains(name string) *site {
	s := w.site(name, 1)
	s.reply = func(task exchange.Task) exchange.Reply {
		time.Sleep(time.Duration(task.Round) * 10 * time.Second)
		return s.honest(task)
	}
	return s
}
