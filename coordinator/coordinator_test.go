package coordinator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// contract of a model that no engine knows: what is tested here needs none.
var contract = model.Contract{Tensors: []model.TensorSpec{
	{Name: "a", DType: "F32", Shape: []int{2}},
	{Name: "b", DType: "F32", Shape: []int{1, 2}},
}}

func definition(rounds int) Definition {
	d := DefaultDefinition()
	d.Name, d.Contract, d.Rounds, d.MinSites = "r", contract, rounds, 3
	d.Plan = train.Plan{Epochs: 1, Batch: 1, Optimizer: optim.Defaults(optim.SGD)}
	return d
}

func params(values ...float32) *model.Params {
	p := model.NewParams(contract)
	copy(p.Flat(), values)
	return p
}

// world is a coordinator on a folder, and what its tests need of it.
type world struct {
	t   testing.TB
	dir string
	*Coordinator
	close func() error
}

// start opens the folder's journal and runs a coordinator on it. wrap may
// replace the store.
func start(t *testing.T, dir string, wrap func(journal.Store) journal.Store, change func(*Options)) *world {
	t.Helper()
	file, err := journal.OpenFile(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := spool.Open(filepath.Join(dir, "spool"), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var store journal.Store = file
	if wrap != nil {
		store = wrap(file)
	}
	o := Options{Journal: store, Spool: blobs, Log: zaptest.NewLogger(t), Away: 10 * time.Second, Grace: 10 * time.Second}
	if change != nil {
		change(&o)
	}
	var c *Coordinator
	observe := o.Observe
	o.Observe = func(s round.State, e round.Event) {
		checkReferences(t, c)
		if observe != nil {
			observe(s, e)
		}
	}
	c, err = New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	checkReferences(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	return &world{t: t, dir: dir, Coordinator: c, close: sync.OnceValue(func() error {
		cancel()
		return errors.Join(<-ended, file.Close())
	})}
}

func (w *world) submit(d Definition, initial *model.Params) error {
	var file bytes.Buffer
	if err := initial.Write(&file); err != nil {
		w.t.Fatal(err)
	}
	return w.Submit(w.t.Context(), d, bytes.NewReader(file.Bytes()), int64(file.Len()))
}

// end waits for the run's last status.
func (w *world) end(name string) RunStatus {
	w.t.Helper()
	var last RunStatus
	for seq := uint64(0); !last.Phase.Final(); {
		state, now, err := w.Since(w.t.Context(), name, seq)
		if errors.Is(err, ErrClosed) {
			break
		}
		if err != nil {
			w.t.Fatal(err)
		}
		last, seq = Describe(state), now
	}
	return last
}

// site is a Link whose training adds its number to every weight.
type site struct {
	name   string
	number float32
	w      *world
	tasks  chan exchange.Task
	reply  func(exchange.Task) exchange.Reply // nil: honest
	got    chan exchange.Receipt
	seen   sync.Map // the ids of tasks: one that attends just now may be offered one twice
}

func (w *world) site(name string, number float32) *site {
	return &site{name: name, number: number, w: w, tasks: make(chan exchange.Task, 16), got: make(chan exchange.Receipt, 16)}
}

func (s *site) Name() string       { return s.name }
func (s *site) Cancel(_, _ string) {}
func (s *site) HangUp(error)       {}

func (s *site) Hello() exchange.Hello { return exchange.Hello{Name: s.name, Version: "test"} }
func (s *site) Pulse() Pulse          { return Pulse{Heard: now(), Load: len(s.tasks)} }

func (s *site) Offer(t exchange.Task) {
	if _, again := s.seen.LoadOrStore(t.ID, true); !again {
		s.tasks <- t
	}
}

// store leaves an update in the spool.
func (s *site) store(write func(io.Writer) error) exchange.Artefact {
	digest, size, err := s.w.Spool().PutFunc(write)
	if err != nil {
		s.w.t.Error(err)
	}
	return exchange.Artefact{Digest: digest, Bytes: size}
}

func (s *site) honest(t exchange.Task) exchange.Reply {
	n := s.number * float32(t.Round)
	delta := s.store(params(n, n, n, n).Write)
	return exchange.Reply{Task: t.ID, Outcome: exchange.Done, Update: &exchange.Update{
		Task: t.ID, Base: t.Model.Digest, Artefacts: map[string]exchange.Artefact{exchange.Delta: delta}, Samples: 1, Steps: 1,
	}}
}

// work attends and answers tasks until ctx ends.
func (s *site) work(ctx context.Context) {
	defer s.w.Attach(s)()
	for {
		select {
		case <-ctx.Done():
			return
		case task := <-s.tasks:
			reply := s.honest
			if s.reply != nil {
				reply = s.reply
			}
			receipt, err := s.w.Answer(ctx, s.name, reply(task))
			for errors.Is(err, spool.ErrNotFound) { // a run that needed the same bytes no longer does
				receipt, err = s.w.Answer(ctx, s.name, reply(task))
			}
			if err == nil {
				s.got <- receipt
			}
		}
	}
}

// attend lets sites work in the background until the returned function.
func attend(ctx context.Context, sites ...*site) (leave func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, s := range sites {
		wg.Go(func() { s.work(ctx) })
	}
	return func() { cancel(); wg.Wait() }
}

// model reads a published model's weights.
func (w *world) weights(digest string) []float32 {
	w.t.Helper()
	b, err := w.Spool().Open(digest)
	if err != nil {
		w.t.Fatal(err)
	}
	defer b.Close()
	p, err := model.ReadParams(b, b.Size(), contract)
	if err != nil {
		w.t.Fatal(err)
	}
	return p.Flat()
}

// Three sites add 1, 2 and 6, times the round: the mean is 3, then 6.
func TestTwoRoundsByHand(t *testing.T) {
	w := start(t, t.TempDir(), nil, nil)
	defer w.close()
	defer attend(t.Context(), w.site("x", 1), w.site("y", 2), w.site("z", 6))()
	if err := w.submit(definition(2), params(1, 2, 3, 4)); err != nil {
		t.Fatal(err)
	}
	s := w.end("r")
	if s.Phase != round.Completed || len(s.Published) != 2 || s.Counts.Accepted != 6 {
		t.Fatalf("got %+v, want a completed run of two versions from six updates", s)
	}
	if diff := cmp.Diff([]float32{10, 11, 12, 13}, w.weights(s.Model)); diff != "" {
		t.Errorf("weights differ (-want +got):\n%s", diff)
	}
	if err := w.close(); err != nil { // what is no longer needed goes after the end has shown
		t.Error(err)
	}
	if digests, err := w.Spool().List(); err != nil || len(digests) != 1 {
		t.Errorf("the spool holds %d artefacts (%v), want the published one alone", len(digests), err)
	}
}

// A round goes on without those whose updates are no good, and they are told
// why.
func TestBadUpdates(t *testing.T) {
	wrongShape := model.Contract{Tensors: []model.TensorSpec{{Name: "a", DType: "F32", Shape: []int{2}}, {Name: "b", DType: "F32", Shape: []int{2}}}}
	oneTensor := model.Contract{Tensors: contract.Tensors[:1]}
	edit := func(change func(*exchange.Update)) func(*site, exchange.Task) exchange.Reply {
		return func(s *site, t exchange.Task) exchange.Reply {
			r := s.honest(t)
			change(r.Update)
			return r
		}
	}
	artefact := func(p *model.Params) func(*site, exchange.Task) exchange.Reply {
		return func(s *site, t exchange.Task) exchange.Reply {
			r := s.honest(t)
			r.Update.Artefacts[exchange.Delta] = s.store(p.Write)
			return r
		}
	}
	for _, tt := range []struct {
		name  string
		reply func(*site, exchange.Task) exchange.Reply
		want  string
	}{
		{"NaN", artefact(params(1, 2, float32(math.NaN()), 4)), `tensor "b": element 0 is NaN`},
		{"infinite", artefact(params(float32(math.Inf(-1)), 2, 3, 4)), `tensor "a": element 0 is -Inf`},
		{"wrong shape", artefact(model.NewParams(wrongShape)), `tensor "b": got shape [2], want [1 2]`},
		{"tensor missing", artefact(model.NewParams(oneTensor)), `tensor "b" [1 2] is missing`},
		{"other base", edit(func(u *exchange.Update) { u.Base = strings.Repeat("0", 64) }), "trained from model 000000000000"},
		{"size lies", edit(func(u *exchange.Update) {
			u.Artefacts[exchange.Delta] = exchange.Artefact{Digest: u.Artefacts[exchange.Delta].Digest, Bytes: 9}
		}), "announced were 9"},
		{"absurd count", edit(func(u *exchange.Update) { u.Samples = 1e18 }), "the run allows at most"},
		{"no count", edit(func(u *exchange.Update) { u.Samples = 0 }), "0 samples"},
		{"not safetensors", func(s *site, t exchange.Task) exchange.Reply {
			r := s.honest(t)
			r.Update.Artefacts[exchange.Delta] = s.store(func(w io.Writer) error { _, err := io.WriteString(w, "hello, world"); return err })
			return r
		}, "safetensors"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := start(t, t.TempDir(), nil, nil)
			defer w.close()
			bad := w.site("bad", 100)
			bad.reply = func(task exchange.Task) exchange.Reply { return tt.reply(bad, task) }
			defer attend(t.Context(), w.site("x", 1), w.site("y", 3), bad)()
			if err := w.submit(definition(1), params(0, 0, 0, 0)); err != nil {
				t.Fatal(err)
			}
			s := w.end("r")
			if s.Phase != round.Completed || s.Counts.Rejected != 1 || s.Counts.Accepted != 2 {
				t.Errorf("got %+v, want a completed run with one rejected of three", s)
			}
			if diff := cmp.Diff([]float32{2, 2, 2, 2}, w.weights(s.Model)); diff != "" {
				t.Errorf("weights differ (-want +got):\n%s", diff)
			}
			if r := <-bad.got; r.Verdict != exchange.Rejected || !strings.Contains(r.Reason, tt.want) {
				t.Errorf("receipt: got %+v, want rejected with %q", r, tt.want)
			}
		})
	}
}

// An answer whose artefact is not there is not recorded: the site may still
// bring it.
func TestAnswerBeforeItsArtefact(t *testing.T) {
	w := start(t, t.TempDir(), nil, nil)
	defer w.close()
	s := w.site("x", 1)
	defer w.Attach(s)()
	d := definition(1)
	d.MinSites = 1
	if err := w.submit(d, params()); err != nil {
		t.Fatal(err)
	}
	task := <-s.tasks
	reply := s.honest(task)
	if err := w.Spool().Remove(reply.Update.Artefacts[exchange.Delta].Digest); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Answer(t.Context(), "x", reply); !errors.Is(err, fault.Input) {
		t.Errorf("got error %v, want bad input", err)
	}
	r, err := w.Answer(t.Context(), "x", s.honest(task))
	if err != nil || r.Verdict != exchange.Accepted {
		t.Errorf("second answer: got %+v, %v; want accepted", r, err)
	}
}

// dying is a store whose nth append fails, as a power cut would: before or
// after the records reached the disk.
type dying struct {
	journal.Store
	left  int
	after bool
}

var errPower = errors.New("power cut")

func (d *dying) Append(ctx context.Context, head uint64, records []journal.Record) error {
	if d.left--; d.left > 0 {
		return d.Store.Append(ctx, head, records)
	}
	if d.left == 0 && d.after {
		if err := d.Store.Append(ctx, head, records); err != nil {
			return err
		}
	}
	return errPower
}

// A coordinator that dies at any append, and is started again, ends with the
// same model as one that never died.
func TestDeathAtEveryAppend(t *testing.T) {
	var want []float32
	for n := 1; ; n++ {
		for _, after := range []bool{false, true} {
			d := &dying{left: n, after: after}
			got := runAndDie(t, d)
			if d.left > 0 {
				return // lived to the end
			}
			if want == nil {
				want = []float32{9, 9, 9, 9}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("death at append %d, records on disk: %v: weights differ (-want +got):\n%s", n, after, diff)
			}
		}
	}
}

func runAndDie(t *testing.T, d *dying) []float32 {
	dir := t.TempDir()
	w := start(t, dir, func(s journal.Store) journal.Store { d.Store = s; return d }, nil)
	leave := attend(t.Context(), w.site("x", 1), w.site("y", 2), w.site("z", 6))
	if err := w.submit(definition(2), params()); err == nil {
		w.end("r")
	}
	leave()
	if err := w.close(); d.left <= 0 && !errors.Is(err, errPower) {
		t.Fatalf("the dying coordinator returned %v", err)
	}
	w = start(t, dir, nil, nil)
	defer w.close()
	defer attend(t.Context(), w.site("x", 1), w.site("y", 2), w.site("z", 6))()
	if err := w.submit(definition(2), params()); err != nil && !errors.Is(err, fault.Exists) {
		t.Fatal(err)
	}
	return w.weights(w.end("r").Model)
}

// A participant that is gone for longer than the grace is lost, and the round
// goes on without it; time passes only inside the bubble.
func TestParticipantLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, t.TempDir(), nil, nil)
		defer w.close()
		silent := w.site("silent", 100)
		detach := w.Attach(silent)
		defer attend(t.Context(), w.site("x", 1), w.site("y", 3))()
		if err := w.submit(definition(1), params()); err != nil {
			t.Fatal(err)
		}
		<-silent.tasks
		begin := time.Now()
		detach()
		s := w.end("r")
		if got := time.Since(begin); got != 10*time.Second {
			t.Errorf("the run ended %s after the loss, want the grace of 10s", got)
		}
		if s.Phase != round.Completed || s.Counts.Lost != 1 {
			t.Errorf("got %+v, want a completed run with one lost", s)
		}
	})
}

// A silent participant that stays attached ends with its window.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, t.TempDir(), nil, nil)
		defer w.close()
		defer w.Attach(w.site("silent", 100))()
		defer attend(t.Context(), w.site("x", 1), w.site("y", 3))()
		d := definition(1)
		d.Window = round.Window{Deadline: time.Minute}
		begin := time.Now()
		if err := w.submit(d, params()); err != nil {
			t.Fatal(err)
		}
		if s := w.end("r"); s.Phase != round.Completed || s.Counts.Accepted != 2 {
			t.Errorf("got %+v, want a completed run from two updates", s)
		}
		if got := time.Since(begin); got != time.Minute {
			t.Errorf("the run took %s, want the deadline of 1m", got)
		}
	})
}

// A participant that returns within the grace is offered its task again.
func TestReturnIsOfferedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, t.TempDir(), nil, nil)
		defer w.close()
		first := w.site("z", 6)
		detach := w.Attach(first)
		defer attend(t.Context(), w.site("x", 1), w.site("y", 2))()
		if err := w.submit(definition(1), params()); err != nil {
			t.Fatal(err)
		}
		lost := <-first.tasks
		detach()
		time.Sleep(5 * time.Second)
		second := w.site("z", 6)
		defer attend(t.Context(), second)()
		s := w.end("r")
		if r := <-second.got; r.Task != lost.ID || r.Verdict != exchange.Accepted {
			t.Errorf("got %+v, want task %s accepted", r, lost.ID)
		}
		if s.Counts.Accepted != 3 || s.Counts.Lost != 0 {
			t.Errorf("got %+v, want three accepted, none lost", s.Counts)
		}
	})
}

func TestSubmitRefuses(t *testing.T) {
	w := start(t, t.TempDir(), nil, nil)
	defer w.close()
	change := func(f func(*Definition)) Definition { d := definition(1); f(&d); return d }
	for name, d := range map[string]Definition{
		"name is a path":   change(func(d *Definition) { d.Name = "../x" }),
		"unknown strategy": change(func(d *Definition) { d.Strategy = "magic" }),
		"server lr NaN":    change(func(d *Definition) { d.ServerLR = math.NaN() }),
		"no rounds":        change(func(d *Definition) { d.Rounds = 0 }),
		"no contract":      change(func(d *Definition) { d.Contract = model.Contract{} }),
		"negative batch":   change(func(d *Definition) { d.Plan.Batch = -1 }),
		"unknown schedule": change(func(d *Definition) { d.LRSchedule = "cosine" }),
	} {
		if err := w.submit(d, params()); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got error %v, want bad input", name, err)
		}
	}
	if err := w.Submit(t.Context(), definition(1), nil, 0); !errors.Is(err, fault.Input) {
		t.Errorf("no spec and no initial model: got error %v, want bad input", err)
	}
	if err := w.submit(definition(1), params()); err != nil {
		t.Fatal(err)
	}
	if err := w.submit(definition(1), params()); !errors.Is(err, fault.Exists) {
		t.Errorf("second of a name: got error %v, want %v", err, fault.Exists)
	}
	if _, _, err := w.Since(t.Context(), "nobody", 0); !errors.Is(err, ErrNoRun) {
		t.Errorf("since: got error %v, want %v", err, ErrNoRun)
	}
}

// Where one run is active at a time, the others wait; a stopped one makes room.
func TestRunsQueueAndStop(t *testing.T) {
	w := start(t, t.TempDir(), nil, func(o *Options) { o.MaxRuns = 1 })
	defer w.close()
	first, second := definition(1), definition(1)
	first.MinSites, second.Name = 99, "s"
	if err := errors.Join(w.submit(first, params()), w.submit(second, params())); err != nil {
		t.Fatal(err)
	}
	defer attend(t.Context(), w.site("x", 1), w.site("y", 2), w.site("z", 6))()
	if err := w.Stop(t.Context(), "r", "by hand"); err != nil {
		t.Fatal(err)
	}
	if err := w.Stop(t.Context(), "r", "again"); !errors.Is(err, fault.Input) {
		t.Errorf("stop of an ended run: got error %v, want bad input", err)
	}
	if s := w.end("s"); s.Phase != round.Completed {
		t.Errorf("second run: got %+v, want completed", s)
	}
	if s := w.end("r"); s.Phase != round.Stopped || s.Reason != "by hand" {
		t.Errorf("first run: got %+v, want stopped by hand", s)
	}
}

// What a crash left in the spool is swept away at the next start.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "spool"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "spool", fmt.Sprintf("%064d", 7)), []byte("orphan"), 0o644); err != nil {
		t.Fatal(err)
	}
	w := start(t, dir, nil, nil)
	defer w.close()
	if digests, err := w.Spool().List(); err != nil || len(digests) != 0 {
		t.Errorf("the spool holds %v (%v), want nothing", digests, err)
	}
}
