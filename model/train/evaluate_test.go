package train

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/rng"
)

func TestEvaluateAgreesWithPredict(t *testing.T) {
	spec := parse(t, tiny)
	p := spec.Init(rng.New(1, "init"))
	d := randomSamples(rng.New(1, "data"), spec, 3*blockSize+5, 0.5)
	probs := make([]float32, d.Len()*3)
	if err := newEngine(t, spec, 2).Predict(p, d.x, probs); err != nil {
		t.Fatal(err)
	}
	want := Evaluation{Samples: d.Len(), PerClass: make([]float64, 3), Confusion: [][]int{{0, 0, 0}, {0, 0, 0}, {0, 0, 0}}}
	right := 0
	for i, label := range d.y {
		row := probs[i*3:][:3]
		want.Confusion[label][argmax(row)]++
		if argmax(row) == label {
			right++
		}
		want.Loss -= math.Log(float64(row[label])) / float64(d.Len())
	}
	want.Accuracy = float64(right) / float64(d.Len())
	for c, row := range want.Confusion {
		want.PerClass[c] = float64(row[c]) / float64(row[0]+row[1]+row[2])
	}
	for _, threads := range []int{1, 2, 3} {
		got, err := newEngine(t, spec, threads).Evaluate(context.Background(), p, d)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got.Loss-want.Loss) > 1e-6 {
			t.Errorf("%d threads: loss %v, want %v", threads, got.Loss, want.Loss)
		}
		want.Loss = got.Loss // from now on bit for bit
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d threads (-want +got):\n%s", threads, diff)
		}
	}
}

func TestEvaluationOfTwoClasses(t *testing.T) {
	// Positives score .9, .6, .4; negatives .6, .3: of six pairs the positive
	// wins four, ties one and loses one, so AUC = 4.5/6.
	outcomes := []outcome{
		{label: 1, predicted: 1, score: 0.9, loss: 1},
		{label: 0, predicted: 1, score: 0.6, loss: 2},
		{label: 1, predicted: 1, score: 0.6, loss: 3},
		{label: 1, predicted: 0, score: 0.4, loss: 4},
		{label: 0, predicted: 0, score: 0.3, loss: 0},
	}
	auc, sensitivity, specificity := 4.5/6, 2.0/3, 0.5
	want := Evaluation{
		Samples: 5, Accuracy: 0.6, Loss: 2,
		PerClass: []float64{0.5, 2.0 / 3}, Confusion: [][]int{{1, 1}, {1, 2}},
		AUC: &auc, Sensitivity: &sensitivity, Specificity: &specificity,
	}
	if diff := cmp.Diff(want, summarise(outcomes, 2)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got := summarise(outcomes[:1], 2)
	if got.AUC != nil || got.Specificity != nil || got.Sensitivity == nil {
		t.Errorf("without negatives: got %+v, want sensitivity alone", got)
	}
	outcomes[0].score = float32(math.NaN())
	if got := summarise(outcomes, 2); got.AUC != nil {
		t.Errorf("with a NaN score: got AUC %v, want none", *got.AUC)
	}
}

func TestEvaluateAndPredictRefuse(t *testing.T) {
	spec := parse(t, tiny)
	e := newEngine(t, spec, 1)
	p := spec.Init(rng.New(1, "init"))
	d := randomSamples(rng.New(1, "data"), spec, 20, 0.5)
	d.y[17] = 3
	if _, err := e.Evaluate(context.Background(), p, d); !errors.Is(err, fault.Input) {
		t.Errorf("label out of range: got %v, want an error of class Input", err)
	}
	for name, size := range map[string][2]int{"part of a sample": {65, 3}, "too few probabilities": {128, 3}, "too many": {64, 6}} {
		if err := e.Predict(p, make([]float32, size[0]), make([]float32, size[1])); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got %v, want an error of class Input", name, err)
		}
	}
}
