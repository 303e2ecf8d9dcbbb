package report

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/fault"
)

func TestCreateNeverTakesOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "run")
	folder, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir); !errors.Is(err, fault.Exists) {
		t.Errorf("a second Create: got %v, want class Exists", err)
	}
	folder.RemoveIfEmpty()
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder stays: %v", err)
	}
	if err := os.WriteFile(dir, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir); !errors.Is(err, fault.Exists) {
		t.Errorf("Create over a file: got %v, want class Exists", err)
	}
	if _, err := Create(filepath.Join(dir, "below")); !errors.Is(err, fault.Input) {
		t.Errorf("Create below a file: got %v, want class Input", err)
	}
}

func TestRemoveIfEmptyKeepsResults(t *testing.T) {
	folder := create(t)
	publish(t, folder)
	folder.RemoveIfEmpty()
	if _, err := os.Stat(folder.Path(ModelFile)); err != nil {
		t.Errorf("the model is gone: %v", err)
	}
}

func TestModelCardSurvives(t *testing.T) {
	folder := create(t)
	want := publish(t, folder)
	got, err := ReadModel(folder.Path(CardFile))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("model card changed (-written +read):\n%s", diff)
	}
	if _, err := ReadModel(folder.Path("none")); !errors.Is(err, fault.Input) {
		t.Errorf("no model card: got %v, want class Input", err)
	}
	if _, err := ReadModel(folder.Path(ModelFile)); !errors.Is(err, fault.Input) {
		t.Errorf("not a model card: got %v, want class Input", err)
	}
}

func TestRunsThatStartTogetherGetFoldersOfTheirOwn(t *testing.T) {
	t.Chdir(t.TempDir())
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, name := range []string{"mnist-20300102-030405", "mnist-20300102-030405-2", "mnist-20300102-030405-3"} {
		folder, err := CreateDefault("mnist", now)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := folder.Dir(), filepath.Join("runs", name); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestSummaryKeys(t *testing.T) {
	data, err := json.Marshal(Summary{})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"accuracy":null,"best_accuracy":null,"rounds":0,"rounds_to_target":null,"seconds":0,"train_seconds":0,` +
		`"samples_per_second":0,"peak_rss_bytes":0,"model_digest":"","seed":0,"kernel":""}`
	if string(data) != want {
		t.Errorf("got  %s\nwant %s", data, want)
	}
}

func TestPeakRSSIsPlausible(t *testing.T) {
	if got := PeakRSS(); got != 0 && (got < 1<<20 || got > 1<<40) {
		t.Errorf("got %d bytes", got)
	}
}

func TestWriteReport(t *testing.T) {
	folder := create(t)
	card := publish(t, folder)
	target := 3
	r := Report{
		Title:     "digits: ten sites",
		About:     "Ten sites trained together.",
		Settings:  []Setting{{"sites", "10"}, {"odd", "a|b"}},
		Command:   []string{"accord", "simulate", "--out", "my runs/it's"},
		Summary:   Summary{Accuracy: card.Accuracy, BestAccuracy: pointer(0.97), Rounds: 8, RoundsToTarget: &target, Seconds: 60.25, TrainSeconds: 50, SamplesPerSecond: 8123.9, PeakRSSBytes: 200 << 20, AUC: pointer(0.99)},
		Model:     card,
		Rounds:    learning(8),
		Unit:      "round",
		Label:     "federated",
		Baselines: federation().Baselines,
	}
	if err := folder.WriteReport(r); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(folder.Path(ReportFile))
	if err != nil {
		t.Fatal(err)
	}
	model, err := hashFile(folder.Path(ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# digits: ten sites\n", "| test accuracy | 96.00 % |", "| rounds to the target | 3 |", "8,123 samples/s", "200 MiB",
		"![test accuracy by round](curves.svg)", "| all data in one place | 97.20 % | -1.20 |", "| seven | 50.00 % |", `| odd | a\|b |`,
		`accord simulate --out 'my runs/it'\''s'`, "| [model.safetensors](model.safetensors) | `" + model + "` |", "**AUC**",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", page)
	}
}

func TestReportWithoutTestSet(t *testing.T) {
	folder := create(t)
	if err := folder.WriteReport(Report{Title: "x", Unit: "epoch", Rounds: []Round{{Round: 1}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder.Path(CurvesSVG)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("curves without an accuracy: %v", err)
	}
}

func create(t *testing.T) Folder {
	t.Helper()
	folder, err := Create(filepath.Join(t.TempDir(), "run"))
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func publish(t *testing.T, folder Folder) Model {
	t.Helper()
	m := Model{
		Digest: strings.Repeat("ab", 32), Accuracy: pointer(0.96), Loss: pointer(0.125),
		PerClassAccuracy: []float64{0.5, 1}, ClassNames: []string{"seven", "eight"},
		Lineage: Lineage{Run: "digits", Round: 8, Seed: 1, Sites: 10, Updates: []string{"a", "b"}, Kernel: "portable", Code: "(devel)", Dataset: "d", Parent: "p"},
	}
	if err := folder.WriteModel(func(w io.Writer) error { _, err := w.Write([]byte("weights")); return err }, m); err != nil {
		t.Fatal(err)
	}
	return m
}
