package rpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/trainer"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// node is a real coordinator behind a real server, with a folder.
type node struct {
	*server
	*coordinator.Coordinator
	logs *observer.ObservedLogs
	kill func() // stops both
}

func start(t *testing.T, dir string) *node {
	t.Helper()
	return startWith(t, dir, nil, nil)
}

// startWith is start with other options of the server and the coordinator.
func startWith(t *testing.T, dir string, change func(*rpc.Options), changeRuns func(*coordinator.Options)) *node {
	t.Helper()
	file, err := journal.OpenFile(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := spool.Open(filepath.Join(dir, "spool"), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.DebugLevel)
	o := coordinator.Options{Journal: file, Spool: blobs, Log: zap.New(core), Grace: coordinator.DefaultGrace}
	if changeRuns != nil {
		changeRuns(&o)
	}
	c, err := coordinator.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	driven := make(chan error, 1)
	go func() { driven <- c.Run(ctx) }()
	s := serve(t, c, c, change)
	n := &node{s, c, logs, sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(s.stop(), <-driven, file.Close()); err != nil {
			t.Error(err)
		}
	})}
	t.Cleanup(n.kill)
	return n
}

// adding trains by adding its number to every weight.
type adding float32

func (a adding) Train(_ context.Context, _ exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	p, err := global.Params()
	if err != nil {
		return trainer.Result{}, err
	}
	for i := range p.Flat() {
		p.Flat()[i] += float32(a)
	}
	return trainer.Result{Samples: 1, Steps: 1}, done(p)
}

// join starts a participant that dials whatever node now is.
func join(t *testing.T, name string, tr participant.Trainer, now func() *node) {
	t.Helper()
	joinBy(t, name, tr, dialing(now))
}

// joinBy starts a participant that dials by dial.
func joinBy(t *testing.T, name string, tr participant.Trainer, dial func(context.Context, string) (net.Conn, error)) {
	t.Helper()
	o := participant.DefaultOptions()
	o.Name, o.Coordinator, o.Insecure, o.Dial = name, address, true, dial
	joinAs(t, o, tr)
}

// joinAs starts a participant in a folder of its own.
func joinAs(t *testing.T, o participant.Options, tr participant.Trainer) {
	t.Helper()
	o.Dir = t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- participant.Run(ctx, o, tr, zap.NewNop()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", o.Name, err)
		}
	})
}

func submit(t *testing.T, n *node, rounds, sites int) {
	t.Helper()
	d := coordinator.DefaultDefinition()
	d.Rounds, d.MinSites = rounds, sites
	submitAs(t, n.Coordinator, d)
}

// submitAs submits d with a contract, a plan and an hour's window.
func submitAs(t *testing.T, c *coordinator.Coordinator, d coordinator.Definition) {
	t.Helper()
	d.Contract = model.Contract{Tensors: []model.TensorSpec{{Name: "w", DType: "F32", Shape: []int{3}}}}
	d.Plan = train.Plan{Epochs: 1, Batch: 1, Optimizer: optim.Defaults(optim.SGD)}
	d.Window = round.Window{Minimum: 1, Deadline: time.Hour}
	initial, err := fileOf(model.NewParams(d.Contract))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Submit(t.Context(), d, initial, initial.Size()); err != nil {
		t.Fatal(err)
	}
}

// finish waits for the run's end and returns its last model.
func finish(t *testing.T, c *coordinator.Coordinator) (coordinator.RunStatus, []float32) {
	t.Helper()
	var last coordinator.RunStatus
	for seq := uint64(0); !last.Phase.Final(); {
		state, now, err := c.Since(t.Context(), "run", seq)
		if errors.Is(err, coordinator.ErrClosed) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		last, seq = coordinator.Describe(state), now
	}
	blob, err := c.Spool().Open(last.Model)
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	d, err := c.Definition("run")
	if err != nil {
		t.Fatal(err)
	}
	p, err := model.ReadParams(blob, blob.Size(), d.Contract)
	if err != nil {
		t.Fatal(err)
	}
	return last, p.Flat()
}

func TestAFederationTrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, t.TempDir())
		submit(t, n, 3, 4)
		for i := range 4 {
			join(t, fmt.Sprintf("site-%d", i), adding(i), func() *node { return n })
		}
		last, weights := finish(t, n.Coordinator)
		if last.Phase != round.Completed || last.Counts.Accepted != 12 {
			t.Errorf("got %+v, want three rounds of four updates", last)
		}
		if want := slices.Repeat([]float32{4.5}, 3); !slices.Equal(weights, want) {
			t.Errorf("got weights %v, want %v", weights, want)
		}
	})
}

// TestBadUpdatesAreRejected has sites whose updates are no good. Each is
// turned down for its own reason and the round goes on with the others.
func TestBadUpdatesAreRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, t.TempDir())
		submit(t, n, 1, 8)
		now := func() *node { return n }
		join(t, "good", adding(2), now)
		join(t, "nan", adding(float32(math.NaN())), now)
		bad := map[string]struct {
			change func(*exchange.Update)
			blob   *model.Params
			want   string
		}{
			"base":     {change: func(u *exchange.Update) { u.Base = digestOf(nil) }, want: "trained from model e3b0c44298fc"},
			"shape":    {blob: model.NewParams(model.Contract{Tensors: []model.TensorSpec{{Name: "w", DType: "F32", Shape: []int{4}}}}), want: `tensor "w": got shape [4], want [3]`},
			"count":    {change: func(u *exchange.Update) { u.Samples = 1 << 40 }, want: "at most"},
			"1e18":     {change: func(u *exchange.Update) { u.Samples = 1e18 }, want: "at most"},
			"negative": {change: func(u *exchange.Update) { u.Samples = -1 }, want: "samples"},
			"missing":  {change: func(u *exchange.Update) { delete(u.Artefacts, exchange.Delta) }, want: "exactly one artefact"},
		}
		reasons := map[string]<-chan string{}
		for name, b := range bad {
			reasons[name] = misbehave(t, n, name, b.blob, b.change)
		}
		last, weights := finish(t, n.Coordinator)
		for name, b := range bad {
			if got := <-reasons[name]; !strings.Contains(got, b.want) {
				t.Errorf("%s: got %q, want %q", name, got, b.want)
			}
		}
		// The site whose training diverges finds that out by itself, and says so.
		if last.Phase != round.Completed || last.Counts.Accepted != 1 || last.Counts.Rejected != 6 || last.Counts.Declined != 1 {
			t.Errorf("got %+v, want one update accepted, one failed at the site and the others rejected", last)
		}
		if want := slices.Repeat([]float32{2}, 3); !slices.Equal(weights, want) {
			t.Errorf("got weights %v, want %v", weights, want)
		}
	})
}

// misbehave attends as name, answers its task with zeros, or with blob, after
// change had a look at the update, and returns why that was rejected.
func misbehave(t *testing.T, n *node, name string, blob *model.Params, change func(*exchange.Update)) <-chan string {
	t.Helper()
	rejected := make(chan string, 1)
	p := n.attend(name)
	go func() {
		defer close(rejected)
		m, err := p.Recv()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		var task exchange.Task
		if err := json.Unmarshal(m.GetOffer().GetPayload(), &task); err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if blob == nil {
			blob = model.NewParams(task.Contract)
		}
		digest, size, err := n.Spool().PutFunc(blob.Write) // an upload is tested elsewhere
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		u := &exchange.Update{Task: task.ID, Base: task.Model.Digest, Samples: 1, Steps: 1,
			Artefacts: map[string]exchange.Artefact{exchange.Delta: {Digest: digest, Bytes: size}}}
		if change != nil {
			change(u)
		}
		p.reply(task.ID, exchange.Reply{Task: task.ID, Outcome: exchange.Done, Update: u})
		for err == nil && m.GetOffer() != nil { // it may be offered twice
			m, err = p.Recv()
		}
		if err != nil || m.GetReceipt().GetVerdict() != accordv1.Verdict_VERDICT_REJECTED {
			t.Errorf("%s: got %v (%v), want a rejection", name, m, err)
		}
		rejected <- m.GetReceipt().GetReason()
	}()
	return rejected
}

func TestACoordinatorComesBackMidRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var mu sync.Mutex
		current := start(t, dir)
		now := func() *node {
			mu.Lock()
			defer mu.Unlock()
			return current
		}
		submit(t, current, 2, 2)
		slow := &gated{open: make(chan struct{})}
		join(t, "quick", adding(1), now)
		join(t, "slow", slow, now)
		time.Sleep(time.Second) // quick has answered, slow is training
		current.kill()
		close(slow.open) // slow finishes while there is no coordinator
		time.Sleep(time.Minute)
		mu.Lock()
		current = start(t, dir)
		mu.Unlock()
		last, weights := finish(t, now().Coordinator)
		if last.Phase != round.Completed || last.Counts.Accepted != 4 {
			t.Errorf("got %+v, want two rounds of two updates", last)
		}
		if want := slices.Repeat([]float32{4}, 3); !slices.Equal(weights, want) {
			t.Errorf("got weights %v, want %v", weights, want)
		}
		if slow.trained != 2 {
			t.Errorf("slow trained %d times, want 2: once a round", slow.trained)
		}
	})
}

// gated trains once it is open, and adds 3.
type gated struct {
	open    chan struct{}
	trained int
}

func (g *gated) Train(ctx context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	select {
	case <-g.open:
	case <-ctx.Done():
		return trainer.Result{}, ctx.Err()
	}
	g.trained++
	return adding(3).Train(ctx, t, global, done)
}
