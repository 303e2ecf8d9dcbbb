package participant_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/trainer"
)

// testContract is that of a tiny opaque model.
func testContract() model.Contract {
	return model.Contract{Tensors: []model.TensorSpec{
		{Name: "00.kernel", DType: "F32", Shape: []int{2, 3}},
		{Name: "00.bias", DType: "F32", Shape: []int{3}},
	}}
}

// testParams are weights of testContract: from, from+1, ….
func testParams(from float32) *model.Params {
	p := model.NewParams(testContract())
	for i := range p.Flat() {
		p.Flat()[i] = from + float32(i)
	}
	return p
}

// testTask asks site for round 1 of a run that starts from global.
func testTask(site string, global exchange.Artefact) exchange.Task {
	return exchange.Task{
		ID: "run/1/0/" + site, Run: "run", Round: 1, Exchange: exchange.Training, Participant: site, Seed: 7,
		Model: global, Contract: testContract(), SendSamples: true,
		Plan: train.Plan{Epochs: 1, Batch: 1, Optimizer: optim.Config{Name: "sgd", LR: 0.1}},
	}
}

// store puts a file into a spool.
func store(t *testing.T, s *spool.Spool, write func(io.Writer) error) exchange.Artefact {
	t.Helper()
	digest, size, err := s.PutFunc(write)
	if err != nil {
		t.Fatal(err)
	}
	return exchange.Artefact{Digest: digest, Bytes: size}
}

// local serves a spool as participant.Blobs.
type local struct{ *spool.Spool }

func (l local) Fetch(_ context.Context, a exchange.Artefact) (participant.Blob, error) {
	return l.Open(a.Digest)
}

func (l local) Store(_ context.Context, write func(io.Writer) error) (exchange.Artefact, error) {
	digest, size, err := l.PutFunc(write)
	return exchange.Artefact{Digest: digest, Bytes: size}, err
}

func newLocal(t *testing.T) local {
	t.Helper()
	s, err := spool.Open(t.TempDir(), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return local{s}
}

// trainerFunc is a participant.Trainer that trains in memory.
type trainerFunc func(context.Context, exchange.Task, *model.Params) (trainer.Result, error)

func (f trainerFunc) Train(ctx context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	p, err := global.Params()
	if err != nil {
		return trainer.Result{}, fmt.Errorf("read the global model: %w", err)
	}
	result, err := f(ctx, t, p)
	if err != nil {
		return trainer.Result{}, err
	}
	return result, done(p)
}

// addHalf pretends to train: every weight grows by a half.
func addHalf(_ context.Context, _ exchange.Task, p *model.Params) (trainer.Result, error) {
	for i := range p.Flat() {
		p.Flat()[i] += 0.5
	}
	return trainer.Result{Samples: 12, Steps: 3, Metrics: map[string]float64{"loss": 0.25}}, nil
}

func TestDoAnswersWithTheDelta(t *testing.T) {
	blobs := newLocal(t)
	site := participant.Site{Name: "a", Trainer: trainerFunc(addHalf), Blobs: blobs}
	task := testTask("a", store(t, blobs.Spool, testParams(1).Write))

	r := site.Do(t.Context(), task)
	if r.Outcome != exchange.Done {
		t.Fatalf("got %s (%s), want done", r.Outcome, r.Reason)
	}
	if err := r.Validate(); err != nil {
		t.Error(err)
	}
	u := r.Update
	if u.Base != task.Model.Digest || u.Samples != 12 || u.Steps != 3 || u.Metrics["loss"] != 0.25 {
		t.Errorf("got %+v, want the trainer's numbers and the task's base", u)
	}
	delta, err := blobs.Open(u.Artefacts[exchange.Delta].Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer delta.Close()
	p, err := model.ReadParams(delta, delta.Size(), testContract())
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Repeat([]float32{0.5}, 9); !slices.Equal(p.Flat(), want) {
		t.Errorf("got delta %v, want %v", p.Flat(), want)
	}

	task.SendSamples = false
	if r := site.Do(t.Context(), task); r.Update.Samples != 0 {
		t.Errorf("%d samples left the site, though the run does not ask", r.Update.Samples)
	}
}

func TestDoSaysWhatIsWrong(t *testing.T) {
	fails := func(err error) trainerFunc {
		return func(context.Context, exchange.Task, *model.Params) (trainer.Result, error) {
			return trainer.Result{}, err
		}
	}
	notFinite := func(context.Context, exchange.Task, *model.Params) (trainer.Result, error) {
		return trainer.Result{Samples: 1, Metrics: map[string]float64{"loss": math.NaN()}}, nil
	}
	tests := []struct {
		name    string
		trainer trainerFunc
		change  func(*exchange.Task)
		outcome exchange.Outcome
		reason  string
	}{
		{"a trainer that fails", fails(errors.New("out of memory")), nil, exchange.Failed, "out of memory"},
		{"a trainer that declines", fails(fmt.Errorf("no data: %w", trainer.ErrDeclined)), nil, exchange.Declined, "no data"},
		{"a metric that is no number", notFinite, nil, exchange.Failed, `metric "loss"`},
		{"a reason that is too long", fails(errors.New(strings.Repeat("é", 1000))), nil, exchange.Failed, "éé"},
		{"a task for somebody else", addHalf, func(t *exchange.Task) { t.Participant = "b" }, exchange.Failed, "is for participant b"},
		{"a plan that makes no sense", addHalf, func(t *exchange.Task) { t.Plan.Epochs = 0 }, exchange.Failed, "epochs"},
		{"no contract", addHalf, func(t *exchange.Task) { t.Contract = model.Contract{} }, exchange.Failed, "at least one tensor"},
		{"a contract too large to hold", addHalf, func(t *exchange.Task) {
			t.Contract.Tensors = []model.TensorSpec{{Name: "x", DType: "F32", Shape: []int{1 << 40}}}
		}, exchange.Failed, "elements"},
		{"another shape than the model's", addHalf, func(t *exchange.Task) {
			t.Contract.Tensors = slices.Clone(t.Contract.Tensors)
			t.Contract.Tensors[1].Shape = []int{4}
		}, exchange.Failed, `"00.bias": got shape [3], want [4]`},
		{"a model that is not there", addHalf, func(t *exchange.Task) {
			t.Model.Digest = strings.Repeat("0", 64)
		}, exchange.Failed, "no such artefact"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			blobs := newLocal(t)
			task := testTask("a", store(t, blobs.Spool, testParams(1).Write))
			if test.change != nil {
				test.change(&task)
			}
			site := participant.Site{Name: "a", Trainer: test.trainer, Blobs: blobs}
			r := site.Do(t.Context(), task)
			if r.Outcome != test.outcome || !strings.Contains(r.Reason, test.reason) {
				t.Errorf("got %s (%s), want %s with %q", r.Outcome, r.Reason, test.outcome, test.reason)
			}
			if err := r.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDoReadsNoBrokenModel(t *testing.T) {
	nan := testParams(1)
	nan.Flat()[4] = float32(math.NaN())
	for name, write := range map[string]func(io.Writer) error{
		"no safetensors file": func(w io.Writer) error { _, err := w.Write([]byte("hello")); return err },
		"not a number":        nan.Write,
		"truncated": func(w io.Writer) error {
			var b bytes.Buffer
			err := testParams(1).Write(&b)
			_, err2 := w.Write(b.Bytes()[:b.Len()-1])
			return errors.Join(err, err2)
		},
	} {
		blobs := newLocal(t)
		site := participant.Site{Name: "a", Trainer: trainerFunc(addHalf), Blobs: blobs}
		r := site.Do(t.Context(), testTask("a", store(t, blobs.Spool, write)))
		if r.Outcome != exchange.Failed || !strings.Contains(r.Reason, "read the global model") {
			t.Errorf("%s: got %s (%s), want failed, naming the global model", name, r.Outcome, r.Reason)
		}
	}
}

func TestDoStopsOnItsContext(t *testing.T) {
	blobs := newLocal(t)
	ctx, cancel := context.WithCancel(t.Context())
	site := participant.Site{Name: "a", Blobs: blobs, Trainer: trainerFunc(
		func(ctx context.Context, _ exchange.Task, _ *model.Params) (trainer.Result, error) {
			cancel()
			<-ctx.Done()
			return trainer.Result{}, ctx.Err()
		})}
	r := site.Do(ctx, testTask("a", store(t, blobs.Spool, testParams(1).Write)))
	if r.Outcome != exchange.Failed || r.Reason != "cancelled" {
		t.Errorf("got %s (%s), want failed (cancelled)", r.Outcome, r.Reason)
	}
}

// What a trainer says when it fails may quote the data: it stays at the site.
func TestDoKeepsTheTrainersWordsAtTheSite(t *testing.T) {
	blobs := newLocal(t)
	secret := errors.New("KeyError in /data/patient-4711.png")
	var told error
	site := participant.Site{Name: "a", Blobs: blobs, Confide: func(_ string, err error) { told = err }, Trainer: trainerFunc(
		func(context.Context, exchange.Task, *model.Params) (trainer.Result, error) {
			return trainer.Result{}, secret
		})}
	r := site.Do(t.Context(), testTask("a", store(t, blobs.Spool, testParams(1).Write)))
	if r.Outcome != exchange.Failed || strings.Contains(r.Reason, "4711") || !errors.Is(told, secret) {
		t.Errorf("got %s (%s), the site was told %v", r.Outcome, r.Reason, told)
	}
}
