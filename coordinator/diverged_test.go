package coordinator

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// losses is an Evaluator that finds one loss after the other.
type losses struct{ left []float64 }

func (l *losses) Evaluate(context.Context, *model.Spec, *model.File) (Measurement, error) {
	loss := l.left[0]
	l.left = l.left[1:]
	return Measurement{Test: &train.Evaluation{Accuracy: 0.5, Loss: loss}}, nil
}

// A run whose numbers are no longer finite ends as diverged, at once and without a
// retry, and hands out the last version that was good.
func TestDiverged(t *testing.T) {
	adds := func(value float32) func(s *site, task exchange.Task) exchange.Reply {
		return func(s *site, task exchange.Task) exchange.Reply {
			delta := s.store(params(value, 1, 1, 1).Write)
			return exchange.Reply{Task: task.ID, Outcome: exchange.Done, Update: &exchange.Update{
				Task: task.ID, Base: task.Model.Digest, Artefacts: map[string]exchange.Artefact{exchange.Delta: delta}, Samples: 1,
			}}
		}
	}
	fails := func(diverged bool) func(s *site, task exchange.Task) exchange.Reply {
		return func(_ *site, task exchange.Task) exchange.Reply {
			return exchange.Reply{Task: task.ID, Outcome: exchange.Failed, Reason: "training diverged", Diverged: diverged}
		}
	}
	for name, tt := range map[string]struct {
		second func(s *site, task exchange.Task) exchange.Reply // how x and y answer in round 2
		losses []float64
		phase  round.Phase
		reason string
	}{
		"the aggregate":                    {adds(math.MaxFloat32), []float64{1}, round.Diverged, `tensor "a": element 0 is +Inf`},
		"every update":                     {adds(float32(math.Inf(1))), []float64{1}, round.Diverged, "weights must be finite"},
		"every site's training":            {fails(true), []float64{1}, round.Diverged, "training diverged"},
		"a failure that says nothing":      {fails(false), []float64{1}, round.Failed, "training diverged"},
		"the loss":                         {adds(1), []float64{1, math.NaN()}, round.Diverged, "the model's loss on the test set is NaN"},
		"an infinite loss":                 {adds(1), []float64{1, math.Inf(1)}, round.Diverged, "the model's loss on the test set is +Inf"},
		"nothing":                          {adds(1), []float64{1, 2, 3}, round.Completed, ""},
		"nothing, with weights that large": {adds(math.MaxFloat32 / 4), []float64{1, 2, 3}, round.Completed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, t.TempDir(), nil, func(o *Options) { o.Evaluator = &losses{tt.losses} })
				defer w.close()
				var sites []*site
				for _, name := range []string{"x", "y"} {
					s := w.site(name, 1)
					s.reply = func(task exchange.Task) exchange.Reply {
						if task.Round == 2 {
							return tt.second(s, task)
						}
						return s.honest(task)
					}
					sites = append(sites, s)
				}
				defer attend(t.Context(), sites...)()
				d := definition(3)
				d.MinSites, d.Retries = 2, 0
				if err := w.submit(d, params(math.MaxFloat32/2, 2, 3, 4)); err != nil {
					t.Fatal(err)
				}
				s := w.end("r")
				if s.Phase != tt.phase || !strings.Contains(s.Reason, tt.reason) || s.Attempt != 0 {
					t.Errorf("got %s in attempt %d for the reason %q, want %s for %q", s.Phase, s.Attempt, s.Reason, tt.phase, tt.reason)
				}
				if tt.phase != round.Completed && (len(s.Published) != 1 || s.Model != s.Published[0].Model) {
					t.Errorf("%d versions, model %.8s, want the first", len(s.Published), s.Model)
				}
				w.weights(s.Model) // is still there
			})
		})
	}
}

// One site alone whose training diverges does not end a run that goes on without
// it.
func TestOneSiteDiverges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, t.TempDir(), nil, nil)
		defer w.close()
		bad := w.site("z", 1)
		bad.reply = func(task exchange.Task) exchange.Reply {
			return exchange.Reply{Task: task.ID, Outcome: exchange.Failed, Reason: "training diverged", Diverged: true}
		}
		defer attend(t.Context(), w.site("x", 1), w.site("y", 2), bad)()
		if err := w.submit(definition(2), params(1, 2, 3, 4)); err != nil {
			t.Fatal(err)
		}
		if s := w.end("r"); s.Phase != round.Completed {
			t.Errorf("got %s: %s", s.Phase, s.Reason)
		}
	})
}

// An update that is damaged between its arrival and the answer that names it is
// sent again.
func TestAnswerNamesADamagedUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		w := start(t, dir, nil, nil)
		defer w.close()
		s, first := w.site("x", 1), true
		s.reply = func(task exchange.Task) exchange.Reply {
			reply := s.honest(task)
			if first {
				path := filepath.Join(dir, "spool", reply.Update.Artefacts[exchange.Delta].Digest)
				if err := damages["flipped"](path, nil); err != nil {
					t.Error(err)
				}
			}
			first = false
			return reply
		}
		defer attend(t.Context(), s)()
		d := definition(1)
		d.MinSites = 1
		if err := w.submit(d, params(1, 2, 3, 4)); err != nil {
			t.Fatal(err)
		}
		if s := w.end("r"); s.Phase != round.Completed || s.Counts.Rejected != 0 || w.weights(s.Model)[0] != 2 {
			t.Errorf("got %s: %s, %+v", s.Phase, s.Reason, s.Counts)
		}
	})
}

// An archive gives back what it has published, and nothing else.
func TestArchiveCopies(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	folder, err := report.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	a := &Archive{Folder: func(string) (report.Folder, error) { return folder, nil }}
	var file, copied bytes.Buffer
	if err := a.Copy("r", "", &copied); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("before: got error %v", err)
	}
	if err := params(1, 2, 3, 4).Write(&file); err != nil {
		t.Fatal(err)
	}
	blobs, err := spool.Open(t.TempDir(), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	digest, size, err := blobs.PutFunc(params(1, 2, 3, 4).Write)
	if err != nil {
		t.Fatal(err)
	}
	p := Publication{Definition: definition(1), Version: round.Version{Round: 1, Model: digest}, Best: true, Model: bytes.NewReader(file.Bytes()), Bytes: size}
	if err := a.Publish(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := a.Copy("r", digest, &copied); err != nil || !bytes.Equal(copied.Bytes(), file.Bytes()) {
		t.Errorf("got %d bytes, error %v", copied.Len(), err)
	}
	if err := a.Copy("r", strings.Repeat("0", 64), &copied); err == nil {
		t.Error("another model was given back")
	}
}
