package train

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/rng"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tiny = `
input: [8, 8, 1]
layers:
- conv2d: {filters: 6, kernel: 3, activation: relu}
- max_pooling2d: {}
- flatten: {}
- dense: {units: 3, activation: softmax}
`

// sparse has a layer whose backward pass visits only non-zeros, which tiny has not:
// its convolution is the first layer.
const sparse = `
input: [10, 10, 1]
layers:
- conv2d: {filters: 16, kernel: 3, activation: relu}
- conv2d: {filters: 20, kernel: 3, activation: relu}
- max_pooling2d: {}
- flatten: {}
- dense: {units: 3, activation: softmax}
`

const odd = `
input: [14, 14, 1]
layers:
- conv2d: {filters: 17, kernel: 5, padding: same, activation: relu}
- conv2d: {filters: 17, kernel: 5, strides: 2, padding: same, activation: relu}
- flatten: {}
- dense: {units: 10, activation: softmax}
`

func sgd(lr float64) optim.Config { return optim.Config{Name: optim.SGD, LR: lr} }

// fitted trains a network on so many samples and returns the weights' digest.
func fitted(t *testing.T, text string, samples, threads int, seed uint64, plan Plan) string {
	t.Helper()
	spec := parse(t, text)
	p := spec.Init(rng.New(1, "init"))
	d := randomSamples(rng.New(1, "data"), spec, samples, 0.5)
	if _, err := newEngine(t, spec, threads).Fit(context.Background(), p, d, plan, rng.New(seed, "shuffle"), nil); err != nil {
		t.Fatal(err)
	}
	return p.Digest()
}

func TestFitDoesNotDependOnThreads(t *testing.T) {
	for name, plan := range map[string]Plan{
		"one shard a step":   {Epochs: 2, Batch: 10, Shuffle: true, Optimizer: sgd(0.1)},
		"three shards":       {Epochs: 2, Batch: 40, Shuffle: true, Optimizer: optim.Defaults(optim.Adam)},
		"whole set":          {Epochs: 3, Shuffle: true, Optimizer: sgd(0.1)},
		"larger than set":    {Epochs: 3, Batch: 1000, Shuffle: true, Optimizer: sgd(0.1)},
		"momentum and decay": {Epochs: 2, Batch: 33, Shuffle: true, Optimizer: optim.Config{Name: optim.SGD, LR: 0.1, Momentum: 0.9, WeightDecay: 1e-3}},
	} {
		t.Run(name, func(t *testing.T) {
			want := fitted(t, tiny, 75, 1, 1, plan)
			for _, threads := range []int{2, 3, 5} {
				if got := fitted(t, tiny, 75, threads, 1, plan); got != want {
					t.Errorf("%d threads gave other weights than one", threads)
				}
			}
			if plan.Batch != 0 && plan.Batch < 75 && fitted(t, tiny, 75, 1, 2, plan) == want {
				t.Error("another order of samples gave the same weights")
			}
		})
	}
}

// Seven samples are four and three; 300 are more than the groups have shards.
func TestOtherNetworksDoNotDependOnThreads(t *testing.T) {
	for name, c := range map[string]struct {
		text           string
		samples, batch int
	}{"odd": {odd, 75, 7}, "sparse": {sparse, 75, 10}, "sparse, large batch": {sparse, 300, 0}} {
		plan := Plan{Epochs: 1, Batch: c.batch, Shuffle: true, Optimizer: optim.Defaults(optim.Adam)}
		if fitted(t, c.text, c.samples, 1, 1, plan) != fitted(t, c.text, c.samples, 2, 1, plan) {
			t.Errorf("%s: two threads gave other weights than one", name)
		}
	}
}

func TestEngineCanBeUsedAgain(t *testing.T) {
	spec := parse(t, tiny)
	e := newEngine(t, spec, 2)
	d := randomSamples(rng.New(1, "data"), spec, 40, 0.5)
	plan := Plan{Epochs: 2, Batch: 10, Optimizer: optim.Defaults(optim.Adam)}
	var digests []string
	for range 2 {
		p := spec.Init(rng.New(1, "init"))
		if _, err := e.Fit(context.Background(), p, d, plan, nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Evaluate(context.Background(), p, d); err != nil {
			t.Fatal(err)
		}
		digests = append(digests, p.Digest())
	}
	if digests[0] != digests[1] {
		t.Error("the engine remembers what it trained before")
	}
}

func TestFitCounts(t *testing.T) {
	spec := parse(t, tiny)
	e := newEngine(t, spec, 1)
	d := randomSamples(rng.New(1, "data"), spec, 25, 0.5)
	for _, c := range []struct {
		name           string
		plan           Plan
		steps, samples int64
	}{
		{"last batch is smaller", Plan{Epochs: 2, Batch: 10, Optimizer: sgd(0.1)}, 6, 50},
		{"stopped in the second epoch", Plan{Epochs: 3, Steps: 4, Batch: 10, Optimizer: sgd(0.1)}, 4, 35},
		{"limit above the end", Plan{Epochs: 1, Steps: 99, Batch: 25, Optimizer: sgd(0.1)}, 1, 25},
		{"whole set", Plan{Epochs: 3, Optimizer: sgd(0.1)}, 3, 75},
	} {
		t.Run(c.name, func(t *testing.T) {
			var seen []Progress
			res, err := e.Fit(context.Background(), spec.Init(rng.New(1, "init")), d, c.plan, nil, func(p Progress) { seen = append(seen, p) })
			if err != nil {
				t.Fatal(err)
			}
			if res.Steps != c.steps || res.Samples != c.samples {
				t.Errorf("got %d steps and %d samples, want %d and %d", res.Steps, res.Samples, c.steps, c.samples)
			}
			last := seen[len(seen)-1]
			if int64(len(seen)) != c.steps || last.Step != last.Steps || last.Samples != c.samples || last.Loss != res.Loss {
				t.Errorf("%d reports, the last %+v, do not fit result %+v", len(seen), last, res)
			}
		})
	}
}

func TestFitStopsOnItsContext(t *testing.T) {
	spec := parse(t, tiny)
	e := newEngine(t, spec, 2)
	d := randomSamples(rng.New(1, "data"), spec, 64, 0.5)
	ctx, cancel := context.WithCancel(context.Background())
	steps := 0
	_, err := e.Fit(ctx, spec.Init(rng.New(1, "init")), d, Plan{Epochs: 1000, Batch: 8, Optimizer: sgd(0.1)}, nil, func(Progress) {
		if steps++; steps == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || steps != 3 {
		t.Errorf("got %v after %d steps, want %v after 3", err, steps, context.Canceled)
	}
	if _, err := e.Evaluate(ctx, spec.Init(rng.New(1, "init")), d); !errors.Is(err, context.Canceled) {
		t.Errorf("Evaluate: got %v, want %v", err, context.Canceled)
	}
}

func TestFitRefuses(t *testing.T) {
	spec := parse(t, tiny)
	e := newEngine(t, spec, 2)
	data := func(change func(d *samples)) *samples {
		d := randomSamples(rng.New(1, "data"), spec, 40, 0.5)
		change(d)
		return d
	}
	good := Plan{Epochs: 3, Batch: 20, Optimizer: sgd(0.1)}
	for _, c := range []struct {
		name string
		plan Plan
		d    *samples
		want string
	}{
		{"no epochs", Plan{Batch: 1, Optimizer: sgd(0.1)}, data(func(*samples) {}), "epochs: 0"},
		{"negative batch", Plan{Epochs: 1, Batch: -1, Optimizer: sgd(0.1)}, data(func(*samples) {}), "batch: -1"},
		{"negative steps", Plan{Epochs: 1, Steps: -1, Optimizer: sgd(0.1)}, data(func(*samples) {}), "steps: -1"},
		{"no optimizer", Plan{Epochs: 1}, data(func(*samples) {}), `"" is unknown`},
		{"other shape", good, data(func(d *samples) { d.shape = [3]int{8, 8, 3} }), "shape [8 8 3]"},
		{"too many classes", good, data(func(d *samples) { d.classes = 4 }), "4 classes"},
		{"no samples", good, &samples{shape: spec.Input, classes: 3}, "no samples"},
		{"label too large", good, data(func(d *samples) { d.y[37] = 3 }), "sample 37 has label 3"},
		{"negative label", good, data(func(d *samples) { d.y[2] = -1 }), "sample 2 has label -1"},
		{"NaN", good, data(func(d *samples) { d.x[64*21] = float32(math.NaN()) }), "the loss of step 2 is NaN; lower lr"},
		{"lr too large", Plan{Epochs: 50, Batch: 20, Optimizer: sgd(1e30)}, data(func(*samples) {}), "diverged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := e.Fit(context.Background(), spec.Init(rng.New(1, "init")), c.d, c.plan, nil, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, fault.Input) {
				t.Errorf("got %v, want an error of class Input with %q", err, c.want)
			}
		})
	}
	if _, err := e.Fit(context.Background(), model.Reference().Init(rng.New(1, "init")), data(func(*samples) {}), good, nil, nil); !errors.Is(err, fault.Input) {
		t.Errorf("weights of another network: got %v, want an error of class Input", err)
	}
}

func TestStepsAllocateNothing(t *testing.T) {
	for name, text := range map[string]string{"tiny": tiny, "sparse": sparse, "odd": odd} {
		spec := parse(t, text)
		for _, threads := range []int{1, 2} {
			e := newEngine(t, spec, threads)
			d := randomSamples(rng.New(1, "data"), spec, 300, 0.5)
			p := spec.Init(rng.New(1, "init"))
			opt, err := optim.New(optim.Defaults(optim.Adam), e.bound.Size())
			if err != nil {
				t.Fatal(err)
			}
			f := &fit{engine: e, params: p, data: d, opt: opt}
			e.load(p)
			idx := make([]int, d.Len())
			for i := range idx {
				idx[i] = i
			}
			for _, batch := range []int{1, 10, 40, 300} {
				step := func() {
					if _, err := f.step(idx[:batch]); err != nil {
						t.Fatal(err)
					}
				}
				// A worker allocates when it gets its first shard, whenever that is.
				n := math.Inf(1)
				for try := 0; try < 5 && n > 0; try++ {
					n = min(n, testing.AllocsPerRun(5, step))
				}
				if n != 0 {
					t.Errorf("%s, %d threads, batch %d: %v allocations a step, want none", name, threads, batch, n)
				}
			}
		}
	}
}

func TestOneThreadStartsNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	newEngine(t, parse(t, tiny), 1)
	if after := runtime.NumGoroutine(); after != before {
		t.Errorf("%d goroutines became %d", before, after)
	}
	if _, err := NewEngine(nil, 0); !errors.Is(err, fault.Input) {
		t.Errorf("no threads: got %v, want an error of class Input", err)
	}
}
