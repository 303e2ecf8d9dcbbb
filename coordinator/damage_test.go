package coordinator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// damages are what may happen to a file of the spool. other is another one's
// bytes, of the same length.
var damages = map[string]func(path string, other []byte) error{
	"flipped": func(path string, _ []byte) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data[len(data)-2] ^= 4
		return os.WriteFile(path, data, 0o600)
	},
	"cut":       func(path string, _ []byte) error { return os.Truncate(path, 100) },
	"exchanged": func(path string, other []byte) error { return os.WriteFile(path, other, 0o600) },
	"removed":   func(path string, _ []byte) error { return os.Remove(path) },
}

// roles are the artefacts that a state refers to, "" where it has none such.
var roles = map[string]func(round.State) string{
	"global model": func(s round.State) string { return s.Model },
	"update": func(s round.State) string {
		for t := range s.Tasks() {
			if t.Digest != "" {
				return t.Digest
			}
		}
		return ""
	},
	"version on its way out": func(s round.State) string {
		if s.Release == nil {
			return ""
		}
		return s.Release.Model
	},
	"update of it": func(s round.State) string {
		if s.Release == nil {
			return ""
		}
		return s.Release.Updates[0].Digest
	},
	"the model that it was made from": func(s round.State) string {
		if s.Release == nil {
			return ""
		}
		return s.Release.Parent
	},
}

// probe is an Evaluator that reads the model.
type probe struct{}

func (probe) Evaluate(_ context.Context, _ *model.Spec, f *model.File) (Measurement, error) {
	p, err := f.Params()
	if err != nil {
		return Measurement{}, err
	}
	return Measurement{Test: &train.Evaluation{Accuracy: 0.5, Loss: float64(p.Flat()[0])}}, nil
}

// trained is a site whose update depends on every weight of the global model,
// which it reads as one that downloads it does.
func (w *world) trained(name string, number float32) *site {
	s := w.site(name, number)
	s.reply = func(t exchange.Task) exchange.Reply {
		var base []float32
		for base == nil {
			b, err := w.Spool().Open(t.Model.Digest)
			if err == nil {
				p, failed := model.ReadParams(b, b.Size(), contract)
				if err = errors.Join(failed, b.Close()); err == nil {
					base = p.Flat()
				}
			}
			if err != nil && w.Mend(w.t.Context(), t.Model.Digest) != nil {
				return exchange.Reply{Task: t.ID, Outcome: exchange.Failed, Reason: "no model"}
			}
		}
		delta := make([]float32, len(base))
		for i, v := range base {
			delta[i] = v/3 + number*float32(t.Round)
		}
		return exchange.Reply{Task: t.ID, Outcome: exchange.Done, Update: &exchange.Update{
			Task: t.ID, Base: t.Model.Digest, Artefacts: map[string]exchange.Artefact{exchange.Delta: s.store(params(delta...).Write)}, Samples: 1,
		}}
	}
	return s
}

// ledger is a journal.Store that outlives a coordinator.
type ledger struct{ records []journal.Record }

func (m *ledger) Append(_ context.Context, _ uint64, records []journal.Record) error {
	m.records = append(m.records, records...)
	return nil
}

func (m *ledger) Replay(_ context.Context, visit func(journal.Record) error) (uint64, error) {
	for _, r := range m.records {
		if err := visit(r); err != nil {
			return 0, err
		}
	}
	return uint64(len(m.records)), nil
}

func (m *ledger) Close() error { return nil }

// copies is a Publisher that has a copy of the last model.
type copies struct {
	mu     sync.Mutex
	digest string
	model  []byte
}

func (s *copies) Publish(_ context.Context, p Publication) error {
	data, err := io.ReadAll(io.NewSectionReader(p.Model, 0, p.Bytes))
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != p.Version.Model {
		return errors.New("wrong bytes were published")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.digest, s.model = p.Version.Model, data
	return nil
}

func (s *copies) Copy(_, digest string, w io.Writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.digest != digest {
		return errors.New("another is published")
	}
	_, err := w.Write(s.model)
	return err
}

// damaged does a run of two rounds; after the n-th event strike happens, and
// with restart the coordinator stops then and another goes on.
func damaged(t *testing.T, n int, restart bool, strike func(dir string, s round.State) (digest string)) (last RunStatus, digest string, events int) {
	t.Helper()
	dir := t.TempDir()
	records, published := &ledger{}, &copies{}
	var at round.State
	stop := make(chan struct{})
	// Only the next process syncs, which opens its spool without reading all of it.
	life := func(synced bool, observe func(round.State, round.Event)) (*world, func()) {
		w := start(t, dir, func(journal.Store) journal.Store { return records }, func(o *Options) {
			o.Observe, o.Evaluator = observe, probe{}
			o.Publisher = published
			var err error
			if o.Spool, err = spool.Open(filepath.Join(dir, "spool"), spool.Options{Sync: synced}); err != nil {
				t.Fatal(err)
			}
		})
		leave := attend(t.Context(), w.trained("x", 1), w.trained("y", 2))
		return w, func() {
			leave()
			if err := w.close(); err != nil {
				t.Error(err)
			}
		}
	}
	w, end := life(false, func(s round.State, _ round.Event) {
		if events++; events != n {
			return
		}
		if at = s; restart {
			close(stop)
		} else if strike != nil {
			digest = strike(filepath.Join(dir, "spool"), s)
		}
	})
	d := definition(2)
	d.MinSites, d.Retries, d.Weighted = 2, 0, false
	if err := w.submit(d, params(1, 2, 3, 4)); err != nil {
		t.Fatal(err)
	}
	if restart {
		<-stop
		end()
		digest = strike(filepath.Join(dir, "spool"), at)
		w, end = life(true, nil)
	}
	defer end()
	last = w.end("r")
	if last.Phase == round.Completed && published.digest != last.Model {
		t.Errorf("published is model %.12s, want %.12s", published.digest, last.Model)
	}
	return last, digest, events
}

// hit damages the artefact of a role, if there is one.
func hit(t *testing.T, role, damage string) func(dir string, s round.State) string {
	return func(dir string, s round.State) string {
		digest := roles[role](s)
		path := filepath.Join(dir, digest)
		whole, err := os.ReadFile(path)
		if digest == "" || err != nil {
			return "" // no longer there, or not yet
		}
		// The same tensors with other values: a file that nothing is wrong with.
		var other strings.Builder
		if err := params(9, 9, 9, 9).Write(&other); err != nil || other.Len() != len(whole) {
			t.Fatal("not exchangeable")
		}
		if err := damages[damage](path, []byte(other.String())); err != nil {
			t.Error(err)
		}
		return digest
	}
}

// Whatever happens to any artefact in the spool, in any phase, in this process or
// the next: the run publishes what it would have published, at no cost of a
// retry. What nothing can give back, here a first model that came from a file,
// ends it with an error that names the artefact.
func TestDamagedArtefacts(t *testing.T) {
	var want RunStatus
	var first string
	var events int
	synctest.Test(t, func(t *testing.T) {
		want, first, events = damaged(t, 1, false, func(_ string, s round.State) string { return s.Model })
	})
	if want.Phase != round.Completed || events < 13 {
		t.Fatalf("undisturbed: %s after %d events: %s", want.Phase, events, want.Reason)
	}
	repaired, named := 0, 0
	for n := 1; n < events; n++ {
		for role := range roles {
			for damage := range damages {
				for _, restart := range []bool{false, true} {
					name := fmt.Sprintf("event %d, %s %s, restart %v", n, role, damage, restart)
					synctest.Test(t, func(t *testing.T) {
						began := time.Now()
						got, digest, _ := damaged(t, n, restart, hit(t, role, damage))
						switch {
						case digest == "":
						case digest == first && got.Phase == round.Failed && got.Round == 1 && strings.Contains(got.Reason, digest) && len(got.Published) == 0:
							named++
						case got.Phase != round.Completed || got.Model != want.Model || got.Attempt > 0 && got.Round != 1:
							t.Errorf("%s: %s in round %d attempt %d with model %.12s, want %.12s: %s", name, got.Phase, got.Round, got.Attempt, got.Model, want.Model, got.Reason)
						default:
							repaired++
						}
						if took := time.Since(began); took > 11*time.Second { // a window is 10 minutes
							t.Errorf("%s: took %s", name, took)
						}
					})
				}
			}
		}
	}
	if repaired < 4*named || named == 0 {
		t.Errorf("%d runs were repaired, %d named the artefact", repaired, named)
	}
}
