package coordinator

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
)

// process is a link of one of several processes of the participant "a".
type process struct {
	id    string
	ended error
}

func (p *process) Name() string          { return "a" }
func (p *process) Hello() exchange.Hello { return exchange.Hello{Name: "a", Process: p.id} }
func (p *process) Pulse() Pulse          { return Pulse{} }
func (p *process) Offer(exchange.Task)   {}
func (p *process) Cancel(_, _ string)    {}
func (p *process) HangUp(why error)      { p.ended = why }

func (w *world) admits(l Link, from string) (detach func()) {
	w.t.Helper()
	detach, err := w.Admit(l, from)
	if err != nil {
		w.t.Fatal(err)
	}
	return detach
}

// Whoever attends keeps its place, until it leaves; a process replaces itself.
func TestOneProcessHasThePlace(t *testing.T) {
	for _, tt := range []struct {
		name, first, second string
		replaces            bool
	}{
		{"the same process", "p", "p", true},
		{"another process", "p", "q", false},
		{"two that know of no ids", "", "", true},
		{"one that knows of none comes second", "p", "", false},
		{"one that knows of none was there", "", "q", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, t.TempDir(), nil, nil)
				defer w.close()
				first, second := &process{id: tt.first}, &process{id: tt.second}
				detach := w.admits(first, "10.0.0.1:1")
				came := time.Now()
				time.Sleep(time.Minute)
				leave, err := w.Admit(second, "10.0.0.2:2")
				if tt.replaces {
					if err != nil || !errors.Is(first.ended, ErrReplaced) {
						t.Fatalf("got %v, the first ended with %v", err, first.ended)
					}
					detach() // changes nothing any more
					if m := w.Members(); m[0].State != Attending || m[0].From != "10.0.0.2:2" || !m[0].Since.Equal(came) {
						t.Errorf("got %+v", m[0])
					}
					leave()
					return
				}
				var occupied *OccupiedError
				if !errors.As(err, &occupied) || occupied.From != "10.0.0.1:1" || !occupied.Since.Equal(came) || first.ended != nil {
					t.Fatalf("got %v, the first ended with %v", err, first.ended)
				}
				m := w.Members()[0]
				if m.From != "10.0.0.1:1" || m.Process != tt.first || m.Rival == nil || m.Rival.From != "10.0.0.2:2" || m.Rival.Process != tt.second || !m.Rival.First.Equal(time.Now()) {
					t.Errorf("got %+v with rival %+v", m, m.Rival)
				}
				detach()
				w.admits(second, "10.0.0.2:2")()
				if m := w.Members()[0]; m.Rival != nil || m.State != Away {
					t.Errorf("in the end %+v", m)
				}
			})
		})
	}
}

// An admin gives the place to the other process: the first may not come back, nor
// as another process from where it was, for long enough.
func TestReleaseGivesThePlaceAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		w := start(t, t.TempDir(), nil, func(o *Options) { o.Log = zap.New(core) })
		defer w.close()
		if _, err := w.Release(t.Context(), "a", "alice"); !errors.Is(err, fault.Input) {
			t.Errorf("nobody attends: got %v", err)
		}
		wrong, right := &process{id: "wrong"}, &process{id: "right"}
		detach := w.admits(wrong, "10.0.0.1:1")
		if _, err := w.Admit(right, "10.0.0.2:2"); err == nil {
			t.Fatal("both attend")
		}
		had, err := w.Release(t.Context(), "a", "alice")
		if err != nil || had.From != "10.0.0.1:1" || had.Process != "wrong" {
			t.Fatalf("got %+v, %v", had, err)
		}
		var released *ReleasedError
		if !errors.As(wrong.ended, &released) || released.By != "alice" || !strings.Contains(wrong.ended.Error(), "alice") {
			t.Errorf("it ended with %v", wrong.ended)
		}
		if got := logs.FilterMessage("place given away").FilterField(zap.String("by", "alice")).Len(); got != 1 {
			t.Errorf("%d lines say who gave the place away", got)
		}
		detach()
		for name, again := range map[string]Link{"it": wrong, "it, restarted": &process{id: "new"}} {
			if _, err := w.Admit(again, "10.0.0.1:9"); !errors.As(err, &released) {
				t.Errorf("%s comes back: got %v", name, err)
			}
		}
		leave := w.admits(right, "10.0.0.2:3")
		var occupied *OccupiedError
		if _, err := w.Admit(&process{id: "third"}, "10.0.0.3:1"); !errors.As(err, &occupied) || occupied.From != "10.0.0.2:3" {
			t.Errorf("a third: got %v", err)
		}
		leave()
		time.Sleep(ReleasedFor)
		w.admits(wrong, "10.0.0.1:9")()
	})
}

// Processes of the version before have no ids. The place of one goes to another by
// where it is.
func TestReleaseOfAProcessWithoutAnID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, t.TempDir(), nil, nil)
		defer w.close()
		wrong, right := &process{}, &process{}
		detach := w.admits(wrong, "10.0.0.1:1")
		if _, err := w.Release(t.Context(), "a", "alice"); err != nil {
			t.Fatal(err)
		}
		detach()
		var released *ReleasedError
		if _, err := w.Admit(wrong, "10.0.0.1:2"); !errors.As(err, &released) {
			t.Errorf("it comes back: got %v", err)
		}
		w.admits(right, "10.0.0.2:1")()
	})
}

// Whoever comes and goes without end writes some lines a minute.
func TestVisitsAreFewLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		w := start(t, t.TempDir(), nil, func(o *Options) { o.Log = zap.New(core) })
		defer w.close()
		for range 1000 {
			w.admits(&process{id: "p"}, "10.0.0.1:1")()
		}
		other := w.site("other", 1)
		defer w.Attach(other)()
		if got := logs.FilterField(zap.String("participant", "a")).Len(); got != maxVisitLines {
			t.Errorf("%d lines, want %d", got, maxVisitLines)
		}
		if got := logs.FilterField(zap.String("participant", "other")).Len(); got != 1 {
			t.Errorf("%d lines of another, want 1", got)
		}
		time.Sleep(time.Minute)
		w.admits(&process{id: "p"}, "10.0.0.1:1")()
		if got := logs.FilterField(zap.String("participant", "a")).Len(); got != maxVisitLines+2 {
			t.Errorf("a minute later: %d lines, want %d", got, maxVisitLines+2)
		}
	})
}
