package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// small is a network that trains in milliseconds.
func small(t testing.TB) *model.Spec {
	t.Helper()
	spec, err := model.ParseSpec("small.yaml", []byte("input: [4, 4, 1]\nlayers: [{flatten: {}}, {dense: {units: 8, activation: relu}}, {dense: {units: 2, activation: softmax}}]"))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// blobs draws two classes, dark and bright images, for n sites.
func blobs(t testing.TB, sites, perSite int, seed uint64) []Site {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	n := sites * perSite
	pixels, labels := make([]uint8, 16*n), make([]int32, n)
	for i := range n {
		labels[i] = int32(i % 2)
		for j := range 16 {
			pixels[16*i+j] = uint8(r.IntN(120) + 100*(i%2))
		}
	}
	set, err := dataset.FromBytes([3]int{4, 4, 1}, pixels, labels)
	if err != nil {
		t.Fatal(err)
	}
	var all []Site
	for s := range sites {
		var indices []int
		for i := range perSite {
			indices = append(indices, s*perSite+i)
		}
		all = append(all, Site{Name: fmt.Sprintf("site-%02d", s+1), Data: set.View(indices)})
	}
	return all
}

func options(t testing.TB, sites int) Options {
	t.Helper()
	d := coordinator.DefaultDefinition()
	d.Spec, d.Rounds = small(t), 3
	d.Plan = train.Plan{Epochs: 2, Batch: 5, Shuffle: true, Optimizer: optim.Defaults(optim.SGD)}
	d.Plan.Optimizer.LR = 0.1
	all := blobs(t, sites+1, 20, 1)
	return Options{Definition: d, Sites: all[:sites], Test: all[sites].Data, Threads: 2, Dir: t.TempDir()}
}

func run(t *testing.T, o Options) Result {
	t.Helper()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("seed %d: %v", o.Definition.Seed, err)
	}
	return r
}

func TestFederationLearns(t *testing.T) {
	o := options(t, 4)
	o.Definition.Rounds = 8
	r := run(t, o)
	if r.State.Phase != round.Completed || r.State.Published.Len() != 8 {
		t.Fatalf("got %s after %d versions, want completed after 8", r.State.Phase, r.State.Published.Len())
	}
	if got := *r.Version.Accuracy; got < 0.95 {
		t.Errorf("accuracy %.2f, want 0.95 or more", got)
	}
	if r.Model.Digest() != r.Version.Model {
		t.Error("the model's digest is not its version's")
	}
}

func TestSameSeedSameModel(t *testing.T) {
	digest := func(change func(*Options)) string {
		o := options(t, 6)
		o.Definition.Fraction = 0.5
		change(&o)
		return run(t, o).Version.Model
	}
	want := digest(func(*Options) {})
	for name, change := range map[string]func(*Options){
		"again":          func(*Options) {},
		"1 thread":       func(o *Options) { o.Threads = 1 },
		"5 threads":      func(o *Options) { o.Threads = 5 },
		"sites shuffled": func(o *Options) { slices.Reverse(o.Sites) },
	} {
		if got := digest(change); got != want {
			t.Errorf("%s: got model %.12s, want %.12s", name, got, want)
		}
	}
	for name, change := range map[string]func(*Options){
		"other seed": func(o *Options) { o.Definition.Seed = 2 },
		"other name": func(o *Options) { o.Definition.Name = "other" },
		"other data": func(o *Options) { o.Sites = blobs(t, 6, 20, 2) },
	} {
		if digest(change) == want {
			t.Errorf("%s: the same model", name)
		}
	}
}

// Ten sites of a round answer one after the other, each time in another order.
func TestAnyOrderOfArrivalSameModel(t *testing.T) {
	const sites = 10
	digests := map[string]bool{}
	for seed := range uint64(4) {
		order := rand.New(rand.NewPCG(seed, 0)).Perm(sites)
		o := options(t, sites)
		o.Threads = sites
		turn := sync.NewCond(new(sync.Mutex))
		answered := 0
		var arrived []string
		o.Progress = func(site string, p train.Progress) {
			if p.Step < p.Steps {
				return
			}
			i := slices.IndexFunc(o.Sites, func(s Site) bool { return s.Name == site })
			turn.L.Lock()
			defer turn.L.Unlock()
			for answered%sites != order[i] {
				turn.Wait()
			}
		}
		o.Observe = func(_ round.State, e round.Event) {
			if a, ok := e.(round.Answered); ok {
				turn.L.Lock()
				answered++
				arrived = append(arrived, a.Participant)
				turn.L.Unlock()
				turn.Broadcast()
			}
		}
		digests[run(t, o).Version.Model] = true
		for i, s := range o.Sites {
			if got := arrived[order[i]]; got != s.Name {
				t.Errorf("seed %d: answer %d came from %s, want %s", seed, order[i], got, s.Name)
			}
		}
	}
	if len(digests) != 1 {
		t.Errorf("got %d different models, want 1", len(digests))
	}
}

// interrupt ends the run after its nth event; Run with the same folder goes on
// and ends with the model of a run that was never interrupted.
func TestInterruptedRunGoesOn(t *testing.T) {
	want := run(t, options(t, 3)).Version.Model
	for _, after := range []int64{1, 2, 4, 7, 9, 12, 16} {
		o := options(t, 3)
		ctx, cancel := context.WithCancel(t.Context())
		var events atomic.Int64
		o.Observe = func(round.State, round.Event) {
			if events.Add(1) == after {
				cancel()
			}
		}
		if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted after %d events: got error %v, want %v", after, err, context.Canceled)
		}
		o.Observe = nil
		if got := run(t, o).Version.Model; got != want {
			t.Errorf("resumed after %d events: got model %.12s, want %.12s", after, got, want)
		}
		cancel()
	}
}

func TestRunRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"no sites":          {func(o *Options) { o.Sites = nil }, "no sites"},
		"no spec":           {func(o *Options) { o.Definition.Spec = nil }, "needs a spec"},
		"two of a name":     {func(o *Options) { o.Sites[1].Name = o.Sites[0].Name }, "two sites are named site-01"},
		"name is a path":    {func(o *Options) { o.Sites[1].Name = "../x" }, "site name"},
		"other image size":  {func(o *Options) { o.Definition.Spec = model.Reference() }, "[28 28 1]"},
		"negative threads":  {func(o *Options) { o.Threads = -1 }, "threads"},
		"impossible lr":     {func(o *Options) { o.Definition.Plan.Optimizer.LR = -1 }, "lr"},
		"impossible stop":   {func(o *Options) { o.Definition.StopAt = 1.5 }, "stop_at"},
		"fraction is zero":  {func(o *Options) { o.Definition.Fraction = 0 }, "fraction"},
		"site without data": {func(o *Options) { o.Sites[0].Data = nil }, "no data"},
	} {
		o := options(t, 2)
		tt.change(&o)
		if _, err := Run(t.Context(), o); !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got error %v, want bad input with %q", name, err, tt.want)
		}
	}
}

func TestFolderOfAnotherRun(t *testing.T) {
	o := options(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	o.Observe = func(round.State, round.Event) { cancel() }
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	o.Observe = nil
	other := o
	other.Definition.Plan.Batch = 7
	if _, err := Run(t.Context(), other); !errors.Is(err, fault.Input) {
		t.Errorf("another definition: got error %v, want bad input", err)
	}
	run(t, o)
	if _, err := Run(t.Context(), o); !errors.Is(err, fault.Exists) {
		t.Errorf("a run that has ended: got error %v, want %v", err, fault.Exists)
	}
}

// With a validation set, the version handed out is the best there.
func TestValidationChoosesTheVersion(t *testing.T) {
	o := options(t, 3)
	o.Validation = blobs(t, 1, 40, 9)[0].Data
	r := run(t, o)
	for _, v := range r.State.Published.All() {
		if v.Validation == nil || *v.Validation > *r.Version.Validation {
			t.Errorf("version %d validates at %v, handed out was one at %v", v.Round, v.Validation, *r.Version.Validation)
		}
	}
}

func TestDivergedTrainingSaysSo(t *testing.T) {
	o := options(t, 2)
	o.Definition.Plan.Optimizer.LR = 1e30
	_, err := Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "lr") {
		t.Errorf("got error %v, want one that speaks of the lr", err)
	}
}

func TestCompare(t *testing.T) {
	o := options(t, 3)
	all := blobs(t, 4, 20, 1)
	b, err := Compare(t.Context(), o, all[0].Data, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Sites) != 3 || b.Sites[2].Site != "site-03" || b.Sites[2].Accuracy < .8 || b.Central.Accuracy < .8 {
		t.Errorf("got %+v", b)
	}
}
