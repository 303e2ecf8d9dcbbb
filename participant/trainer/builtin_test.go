package trainer_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
	"github.com/accord-fl/accord/participant/trainer"
)

// shard is a site's data: random images.
type shard struct {
	shape   [3]int
	classes int
	x       []float32
	y       []int32
}

func newShard(n, side, classes int) *shard {
	r := rand.New(rand.NewPCG(1, 2))
	s := &shard{shape: [3]int{side, side, 1}, classes: classes}
	for range n {
		for range side * side {
			s.x = append(s.x, r.Float32())
		}
		s.y = append(s.y, int32(r.IntN(classes)))
	}
	return s
}

func (s *shard) Len() int      { return len(s.y) }
func (s *shard) Shape() [3]int { return s.shape }
func (s *shard) Classes() int  { return s.classes }

func (s *shard) Gather(x []float32, y []int32, idx []int) {
	size := s.shape[0] * s.shape[1] * s.shape[2]
	for k, i := range idx {
		copy(x[k*size:(k+1)*size], s.x[i*size:(i+1)*size])
		y[k] = s.y[i]
	}
}

// tiny is a network for images of 4×4 in three classes.
func tiny(t *testing.T, units string) *model.Spec {
	t.Helper()
	spec, err := model.ParseSpec("tiny", []byte("input: [4, 4, 1]\nlayers: [flatten: {}, dense: {units: "+units+
		", activation: relu}, dense: {units: 3, activation: softmax}]"))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func tinyTask(spec *model.Spec) exchange.Task {
	return exchange.Task{
		ID: "run/1/0/a", Run: "run", Round: 1, Exchange: exchange.Training, Participant: "a", Seed: 3,
		Contract: spec.Contract(), Spec: spec,
		Plan: train.Plan{Epochs: 2, Batch: 4, Shuffle: true, Optimizer: optim.Config{Name: optim.SGD, LR: 0.1}},
	}
}

func TestBuiltinTrains(t *testing.T) {
	defer goleak.VerifyNone(t)
	engines := trainer.NewPool(1, 2)
	defer engines.Close()
	spec := tiny(t, "5")
	steps := 0
	b := &trainer.Builtin{Data: newShard(10, 4, 3), Engines: engines, Progress: func(exchange.Task, train.Progress) { steps++ }}
	p := spec.Init(rand.New(rand.NewPCG(1, 1)))
	once, got, err := trained(t.Context(), t, b, tinyTask(spec), p)
	if err != nil {
		t.Fatal(err)
	}
	if got.Samples != 10 || got.Steps != 6 || steps != 6 || got.Metrics["loss"] <= 0 {
		t.Errorf("got %+v and %d calls, want 10 samples, 6 steps and a loss", got, steps)
	}
	if slices.Equal(once, p.Flat()) {
		t.Error("nothing was learnt")
	}
	if again, _, err := trained(t.Context(), t, b, tinyTask(spec), p); err != nil || !slices.Equal(once, again) {
		t.Errorf("the same task trained differently the second time (%v)", err)
	}
}

func TestBuiltinDeclines(t *testing.T) {
	engines := trainer.NewPool(1, 1)
	defer engines.Close()
	spec := tiny(t, "5")
	opaque := tinyTask(spec)
	opaque.Spec = nil
	tests := []struct {
		name string
		data *shard
		task exchange.Task
		want string
	}{
		{"a run without a spec", newShard(10, 4, 3), opaque, "trainer exec"},
		{"images of another size", newShard(10, 5, 3), tinyTask(spec), "the site holds [5 5 1]"},
		{"more classes than the model has", newShard(10, 4, 4), tinyTask(spec), "3 classes"},
		{"no data", newShard(0, 4, 3), tinyTask(spec), "no training data"},
	}
	for _, test := range tests {
		b := &trainer.Builtin{Data: test.data, Engines: engines}
		_, _, err := trained(t.Context(), t, b, test.task, model.NewParams(test.task.Contract))
		if !errors.Is(err, trainer.ErrDeclined) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want it declined with %q", test.name, err, test.want)
		}
	}
}

func TestBuiltinTrainsOnTheDataSetAskedFor(t *testing.T) {
	engines := trainer.NewPool(1, 1)
	defer engines.Close()
	spec := tiny(t, "5")
	b := &trainer.Builtin{Data: newShard(10, 4, 3), Named: map[string]train.Data{"more": newShard(20, 4, 3)}, Engines: engines}
	for name, want := range map[string]int64{"": 10, "more": 20} {
		task := tinyTask(spec)
		task.Dataset = name
		_, got, err := trained(t.Context(), t, b, task, spec.Init(rand.New(rand.NewPCG(1, 1))))
		if err != nil || got.Samples != want {
			t.Errorf("data set %q: trained on %d samples, error %v, want %d", name, got.Samples, err, want)
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(got.Metrics)), trainer.BuiltinMetrics()); diff != "" {
			t.Errorf("metrics differ (-told +announced):\n%s", diff)
		}
	}
	task := tinyTask(spec)
	task.Dataset = "other"
	if _, _, err := trained(t.Context(), t, b, task, model.NewParams(task.Contract)); !errors.Is(err, trainer.ErrDeclined) {
		t.Errorf("got error %v for a data set that is not there, want it declined", err)
	}
}

func TestPoolSharesItsEngines(t *testing.T) {
	defer goleak.VerifyNone(t)
	engines := trainer.NewPool(2, 1)
	specs := []*model.Spec{tiny(t, "5"), tiny(t, "6")}
	var sites sync.WaitGroup
	for i := range 20 { // two kinds of network on two engines
		sites.Go(func() {
			spec := specs[i%2]
			b := &trainer.Builtin{Data: newShard(10, 4, 3), Engines: engines}
			if _, _, err := trained(t.Context(), t, b, tinyTask(spec), spec.Init(rand.New(rand.NewPCG(1, 1)))); err != nil {
				t.Error(err)
			}
		})
	}
	sites.Wait()

	_, release, err := engines.Acquire(t.Context(), specs[0])
	if err != nil {
		t.Fatal(err)
	}
	_, release2, err := engines.Acquire(t.Context(), specs[1])
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := engines.Acquire(ctx, specs[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v from a pool that is lent out, want context.Canceled", err)
	}
	release()
	release2()
	engines.Close()
}
