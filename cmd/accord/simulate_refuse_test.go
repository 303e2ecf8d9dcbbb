package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/accord-fl/accord/model"
)

// Each command line is wrong in one way; it says what is wrong, ends with the
// documented code and leaves nothing behind.
func TestSimulateRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, text)
		return path
	}
	unknown := file("unknown.yaml", "seed: 1\nlocal:\n  epohcs: 3\n")
	broken := file("broken.npz", "not an archive")
	wide := file("wide.yaml", strings.Replace(tinySpec, "4, 4", "5, 5", 1))
	weights := filepath.Join(dir, "weights.safetensors")
	other := model.Contract{Tensors: []model.TensorSpec{{Name: "00.kernel", DType: "F32", Shape: []int{16, 3}}, {Name: "00.bias", DType: "F32", Shape: []int{3}}}}
	if err := model.SaveParams(weights, model.NewParams(other)); err != nil {
		t.Fatal(err)
	}
	tiny, untested := tinySimulation(t, "train", "test"), tinySimulation(t, "train")
	with := func(flags ...string) []string { return append(slices.Clone(tiny), flags...) }
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"unknown key", []string{"simulate", "-f", unknown}, exitInput, unknown + ":3: local.epohcs: unknown key; did you mean local.epochs?"},
		{"file not there", []string{"simulate", "-f", unknown + ".not"}, exitInput, "unknown.yaml.not"},
		{"fraction", with("--fraction", "2"), exitInput, "fraction: want a share above 0 and at most 1, got 2"},
		{"lr", with("--lr", "-1"), exitInput, "lr: want a finite number above 0, got -1"},
		{"lr NaN", with("--lr", "NaN"), exitInput, "lr: want a finite number above 0"},
		{"lr-schedule", with("--lr-schedule", "cosine"), exitInput, `lr_schedule: "cosine" is not known; want constant or inverse_sqrt`},
		{"epochs", with("--epochs", "0"), exitInput, "epochs: want 1 or more, got 0"},
		{"rounds", with("--rounds", "0"), exitInput, "rounds: want 1 or more, got 0"},
		{"stop-at as percent", with("--stop-at", "99"), exitInput, "stop_at: want an accuracy"},
		{"more sites than samples", with("--sites", "49"), exitInput, "49 sites but only 48 samples"},
		{"partition unknown", with("--partition", "random"), exitInput, `unknown partition "random"`},
		{"data set unreadable", []string{"simulate", "--dataset", "npz:" + broken}, exitInput, "broken.npz"},
		{"data set not there", []string{"simulate", "--dataset", "images:" + filepath.Join(dir, "none")}, exitInput, "none"},
		{"images drawn from a file", with("--samples-per-site", "9"), exitInput, "only digits are drawn to measure"},
		{"digits in a folder", []string{"simulate", "--data", dir}, exitInput, "digits are drawn on the spot"},
		{"spec for other images", with("--spec", wide), exitInput, "the network takes images of [5 5 1]"},
		{"spec not there", with("--spec", wide+".not"), exitInput, "wide.yaml.not"},
		{"weights of other shapes", with("--init", weights), exitInput, "weights.safetensors"},
		{"weights not there", with("--init", weights+".not"), exitInput, "weights.safetensors.not"},
		{"stop-at without a measure", append(slices.Clone(untested), "--stop-at", "0.9"), exitInput, "no test or validation images"},
		{"baselines without a measure", append(slices.Clone(untested), "--baselines"), exitInput, "no test images"},
		{"seeds", with("--seeds", "3..1"), exitUsage, "want a range such as 1..3"},
		{"seeds as a word", with("--seeds", "all"), exitUsage, "want a range such as 1..3"},
		{"seed and seeds", with("--seeds", "1..2", "--seed", "1"), exitUsage, "seed"},
		{"resume nothing", []string{"simulate", "--resume", dir}, exitInput, runFile},
		{"resume and out", []string{"simulate", "--resume", dir, "--out", dir}, exitUsage, "resume"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "run")
			args := c.args
			if !slices.Contains(args, "--resume") {
				args = append(slices.Clone(args), "--out", out)
			}
			r := accord(t, args...)
			if r.code != c.code || !strings.Contains(r.stderr, c.want) {
				t.Errorf("got exit code %d and %q, want %d and %q", r.code, r.stderr, c.code, c.want)
			}
			if r.stdout != "" || strings.Count(r.stderr, "accord: ") != 1 || !strings.HasPrefix(r.stderr, "accord: ") {
				t.Errorf("want one line on stderr and nothing on stdout; got %+v", r)
			}
			if _, err := os.Lstat(out); err == nil {
				t.Error("left a run folder behind")
			}
		})
	}
	if r := accord(t, with("--out", dir)...); r.code != exitExists || !strings.Contains(r.stderr, "is already there") {
		t.Errorf("a folder that is there: got %+v", r)
	}
}
