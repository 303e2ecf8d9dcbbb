package main

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/internal/testdata"
	"github.com/accord-fl/accord/model"
)

// Tolerances for weights after training, as absolute differences from Keras'.
const (
	sgdTolerance       = 1e-6
	adamTolerance      = 1e-3 // at worst: gradients near zero amplify rounding
	adamTolerance999   = 1e-4 // for 99.9 % of the weights
	adamTolerantWeight = 0.999
)

func TestTrainReproducesKeras(t *testing.T) {
	dir := testdata.Dir(t, "reference/keras-trace")
	for _, c := range []struct {
		name  string
		flags []string
	}{
		{"sgd-1", []string{"--optimizer", "sgd", "--lr", "0.05", "--steps", "1"}},
		{"sgd-10", []string{"--optimizer", "sgd", "--lr", "0.05", "--steps", "10"}},
		{"momentum-1", []string{"--optimizer", "sgd", "--lr", "0.05", "--momentum", "0.9", "--steps", "1"}},
		{"momentum-10", []string{"--optimizer", "sgd", "--lr", "0.05", "--momentum", "0.9", "--steps", "10"}},
		{"adam-1", []string{"--optimizer", "adam", "--steps", "1"}},
		{"adam-10", []string{"--optimizer", "adam", "--steps", "10"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "run")
			args := append([]string{"train", "--init", filepath.Join(dir, "init.safetensors"),
				"--dataset", "safetensors:" + filepath.Join(dir, "data.safetensors"),
				"--shuffle=false", "--batch", "32", "--out", out, "--json"}, c.flags...)
			r := accord(t, args...)
			if r.code != exitOK || !strings.Contains(r.stderr, "tensors matched by name") {
				t.Fatalf("exit code %d, stderr %s", r.code, r.stderr)
			}
			var summary report.Summary
			decode(t, r.stdout, &summary)
			if summary.Accuracy != nil {
				t.Errorf("accuracy: got %v without a test split, want null", *summary.Accuracy)
			}
			compareWeights(t, filepath.Join(out, report.ModelFile), filepath.Join(dir, c.name+".safetensors"), strings.HasPrefix(c.name, "adam"))
		})
	}
}

func compareWeights(t *testing.T, gotFile, wantFile string, adam bool) {
	t.Helper()
	got, _, err := matchParams(gotFile, model.Reference())
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := matchParams(wantFile, model.Reference())
	if err != nil {
		t.Fatal(err)
	}
	differences := make([]float64, len(want.Flat()))
	for i, w := range want.Flat() {
		differences[i] = math.Abs(float64(got.Flat()[i] - w))
	}
	slices.Sort(differences)
	worst := differences[len(differences)-1]
	most := differences[int(adamTolerantWeight*float64(len(differences)))]
	t.Logf("difference: %.2g at worst, 99.9 %% below %.2g", worst, most)
	if adam && (worst > adamTolerance || most > adamTolerance999) {
		t.Errorf("weights differ by %.2g at worst and %.2g for 99.9 %%, want %.2g and %.2g", worst, most, adamTolerance, adamTolerance999)
	}
	if !adam && worst > sgdTolerance {
		t.Errorf("weights differ by %.2g at worst, want %.2g", worst, sgdTolerance)
	}
}

func TestTrainLeavesARunFolder(t *testing.T) {
	out := filepath.Join(t.TempDir(), "deep", "run")
	args := append([]string{"train", "--epochs", "3", "--optimizer", "sgd", "--batch", "8", "--out", out, "--json"}, tinyFiles(t, "train", "test")...)
	var summary report.Summary
	decode(t, mustAccord(t, args...), &summary)
	if summary.Accuracy == nil || *summary.Accuracy < 0.9 || summary.AUC == nil || summary.Sensitivity == nil || summary.Specificity == nil {
		t.Errorf("got %+v, want a good accuracy and the measures for two classes", summary)
	}
	if summary.Rounds != 3 || summary.SamplesPerSecond <= 0 || summary.Seconds < summary.TrainSeconds || summary.Kernel == "" || summary.Seed != 1 {
		t.Errorf("got %+v, want 3 epochs and plausible times", summary)
	}
	for _, name := range []string{report.ModelFile, report.CardFile, report.MetricsFile, report.CurvesSVG, report.CurvesPNG, report.ReportFile} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	card, err := report.ReadModel(filepath.Join(out, report.CardFile))
	if err != nil {
		t.Fatal(err)
	}
	if card.Digest != summary.ModelDigest || card.Lineage.Round != 3 || len(card.PerClassAccuracy) != 2 || card.Lineage.Dataset == "" {
		t.Errorf("model card: got %+v", card)
	}
	rounds, err := report.ReadMetrics(filepath.Join(out, report.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	if len(rounds) != 3 || rounds[2].Samples != 48 || rounds[2].Model != summary.ModelDigest {
		t.Errorf("metrics: got %+v", rounds)
	}
}

func TestTrainIsReproducible(t *testing.T) {
	files := tinyFiles(t, "train", "test")
	digest := func(flags ...string) string {
		args := slices.Concat([]string{"train", "--epochs", "2", "--out", filepath.Join(t.TempDir(), "run"), "--json"}, files, flags)
		var summary report.Summary
		decode(t, mustAccord(t, args...), &summary)
		return summary.ModelDigest
	}
	first := digest("--threads", "1")
	for name, c := range map[string]struct {
		flags []string
		same  bool
	}{
		"again":       {[]string{"--threads", "1"}, true},
		"two threads": {[]string{"--threads", "2"}, true},
		"other seed":  {[]string{"--seed", "2"}, false},
		"other batch": {[]string{"--batch", "16"}, false},
		"whole shard": {[]string{"--batch", "0"}, false},
		"in order":    {[]string{"--shuffle=false"}, false},
	} {
		if got := digest(c.flags...); (got == first) != c.same {
			t.Errorf("%s: the same digest: %v, want %v", name, got == first, c.same)
		}
	}
}

func TestTrainKeepsTheEpochThatValidatesBest(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	// A learning rate this high makes the accuracy jump from epoch to epoch.
	args := append([]string{"train", "--epochs", "8", "--optimizer", "sgd", "--lr", "30", "--batch", "4", "--out", out, "--json"}, tinyFiles(t, "train", "val", "test")...)
	var summary report.Summary
	decode(t, mustAccord(t, args...), &summary)
	rounds, err := report.ReadMetrics(filepath.Join(out, report.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	best := rounds[0]
	for _, r := range rounds {
		if *r.ValAccuracy > *best.ValAccuracy {
			best = r
		}
	}
	if summary.ModelDigest != best.Model || *summary.Accuracy != *best.Accuracy {
		t.Errorf("kept %s with %v, want epoch %d: %s with %v", summary.ModelDigest, *summary.Accuracy, best.Round, best.Model, *best.Accuracy)
	}
}

func TestTrainStopsCleanly(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	args := append([]string{"train", "--epochs", "1000000", "--out", out}, tinyFiles(t, "train", "test")...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := accordWith(ctx, args...); r.code != exitInterrupted || r.stdout != "" || !strings.HasSuffix(r.stderr, "accord: interrupted\n") {
		t.Errorf("stopped at once: got %+v", r)
	}
	if _, err := os.Stat(filepath.Join(out, report.ModelFile)); err == nil {
		t.Error("stopped at once: there is a model")
	}
}

func TestTrainSaysWhatToDoNext(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	args := append([]string{"train", "--epochs", "1", "--out", out}, tinyFiles(t, "train", "test")...)
	text := mustAccord(t, args...)
	for _, want := range []string{"test accuracy", filepath.Join(out, report.ModelFile), "accord model show", "accord model predict", "accord simulate"} {
		if !strings.Contains(text, want) {
			t.Errorf("output lacks %q:\n%s", want, text)
		}
	}
}

func TestTrainRefusesASpecThatDoesNotFit(t *testing.T) {
	files := tinyFiles(t, "train")
	spec := filepath.Join(t.TempDir(), "wide.yaml")
	writeFile(t, spec, strings.Replace(tinySpec, "4, 4", "5, 5", 1))
	r := accord(t, "train", "--out", filepath.Join(t.TempDir(), "run"), "--spec", spec, files[2], files[3])
	if r.code != exitInput || !strings.Contains(r.stderr, "the network takes images of [5 5 1]") {
		t.Errorf("got %+v", r)
	}
}
