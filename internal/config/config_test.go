package config

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/yamltree"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
)

func TestEmptyRunFileIsTheDefaults(t *testing.T) {
	for name, text := range map[string]string{
		"empty":        "",
		"comment only": "# nothing here\n",
		"empty keys":   "name:\nlocal:\n",
	} {
		got, err := Parse("run.yaml", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(Defaults(), got); diff != "" {
			t.Errorf("%s: differs from Defaults (-want +got):\n%s", name, diff)
		}
	}
}

func TestParseKeepsDefaultsOfAbsentKeys(t *testing.T) {
	got, err := Parse("run.yaml", []byte("seed: 7\nlocal: {optimizer: adam, epochs: 2}\nwindow: {deadline: 90s}\nsimulation: {sites: 3}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.Seed = 7
	want.Local.Optimizer, want.Local.LR, want.Local.Epochs = "adam", 0.001, 2
	want.Window.Deadline = 90 * time.Second
	want.Simulation.Sites = 3
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("run differs (-want +got):\n%s", diff)
	}
}

func TestSpecMayBeWrittenOut(t *testing.T) {
	for name, text := range map[string]string{
		"block":  "seed: 1\nmodel:\n  input: [8, 8, 1]\n\n  # two layers\n  layers:\n    - flatten: {}\n    - dense: {units: 3, activation: softmax}\nrounds: 2\n",
		"last":   "model:\n  input: [8, 8, 1]\n  layers:\n  - flatten: {}\n  - dense: {units: 3, activation: softmax}",
		"flow":   "model: {input: [8, 8, 1], layers: [{flatten: {}}, {dense: {units: 3, activation: softmax}}]} # é\nrounds: 2\n",
		"broken": "model: {input: [8, 8, 1],\n layers: [{flatten: {}},\n {dense: {units: 3, activation: softmax}}]}\nrounds: 2\n",
		"indent": "  seed: 1\n  model:\n    input: [8, 8, 1]\n    layers:\n    - flatten: {}\n    - dense: {units: 3, activation: softmax}\n  rounds: 2\n",
		"json":   `{"model": {"input": [8, 8, 1], "layers": [{"flatten": {}}, {"dense": {"units": 3, "activation": "softmax"}}]}, "rounds": 2}`,
	} {
		run, err := Parse("run.yaml", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if run.Model.Spec == nil || run.Model.Spec.Classes() != 3 {
			t.Errorf("%s: got %+v, want a spec with three classes", name, run.Model)
		}
	}
}

// Each file is wrong in one way; the error must name file, line and key, and
// be of class fault.Input.
func TestParseRunErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "seed: 1\nroundz: 3\n", "run.yaml:2: roundz: unknown key; did you mean rounds?"},
		{"unknown key in a section", "local:\n  batch_size: 3\n", "run.yaml:2: local.batch_size: unknown key"},
		{"key of another section", "lr: 0.1\n", "run.yaml:1: lr: unknown key; did you mean local.lr?"},
		{"upper case", "Rounds: 3\n", "run.yaml:1: Rounds: unknown key; did you mean rounds?"},
		{"duplicate key", "seed: 1\nseed: 2\n", `run.yaml:2: mapping key "seed" already defined at [1:1]`},
		{"not YAML", "seed: [1\n", "run.yaml:1: "},
		{"a list", "- 1\n", "run.yaml:1: want keys with values, got a list"},
		{"two documents", "seed: 1\n---\nseed: 2\n", "run.yaml:3: a second document starts here"},
		{"an alias", "name: &a x\ninit: *a\n", "run.yaml:1: &a: anchors and aliases are not supported; write the value itself"},
		{"fraction of a round", "rounds: 1.5\n", "run.yaml:1: rounds: want a whole number, got the number 1.5"},
		{"number in quotes", "rounds: \"20\"\n", "run.yaml:1: rounds: want a whole number, got the text 20"},
		{"negative seed", "seed: -1\n", "run.yaml:1: seed: want a whole number, 0 or more, got the number -1"},
		{"seed beyond 64 bits", "seed: 18446744073709551616\n", "run.yaml:1: seed: want a whole number"},
		{"number as a name", "name: 3\n", "run.yaml:1: name: want text (in quotes if need be), got the number 3"},
		{"text as a number", "server_lr: fast\n", "run.yaml:1: server_lr: want a number, got the text fast"},
		{"yes as a truth value", "local: {shuffle: yes}\n", "run.yaml:1: local.shuffle: want true or false, got the text yes"},
		{"section as a number", "local: 3\n", "run.yaml:1: local: want keys with values, got the number 3"},
		{"list as a number", "rounds: [1]\n", "run.yaml:1: rounds: want a whole number, got a list"},
		{"duration without unit", "window: {deadline: 10}\n", "run.yaml:1: window.deadline: want a duration with its unit"},
		{"name that leaves the folder", "name: ../x\n", `run.yaml:1: name: "../x" cannot name a run`},
		{"no rounds", "rounds: 0\n", "run.yaml:1: rounds: want 1 or more, got 0"},
		{"fraction 0", "fraction: 0\n", "run.yaml:1: fraction: want a share above 0"},
		{"fraction as percent", "fraction: 10\n", "run.yaml:1: fraction: want a share above 0 and at most 1, got 10"},
		{"fraction NaN", "fraction: .nan\n", "run.yaml:1: fraction: want a share"},
		{"stop_at as percent", "stop_at: 99\n", "run.yaml:1: stop_at: want an accuracy"},
		{"min_sites 0", "min_sites: 0\n", "run.yaml:1: min_sites: want 1 or more, got 0"},
		{"strategy", "strategy: fedsgd\n", `run.yaml:1: strategy: "fedsgd" is not known; want fedavg`},
		{"weighting", "weighting: none\n", `run.yaml:1: weighting: "none" is not known; want samples or uniform`},
		{"deadline 0", "window:\n  deadline: 0s\n", "run.yaml:2: window.deadline: want a time above 0"},
		{"lr 0", "local:\n  lr: 0\n", "run.yaml:2: local.lr: want a finite number above 0, got 0"},
		{"lr infinite", "local: {lr: .inf}\n", "run.yaml:1: local.lr: want a finite number above 0"},
		{"lr_schedule", "local:\n  epochs: 1\n  lr_schedule: cosine\n", `run.yaml:3: local.lr_schedule: "cosine" is not known; want constant or inverse_sqrt`},
		{"lr_schedule as a number", "local: {lr_schedule: 0.5}\n", "run.yaml:1: local.lr_schedule: want text"},
		{"optimizer", "local: {optimizer: adamw}\n", `run.yaml:1: local.optimizer: "adamw" is not known; want sgd or adam`},
		{"momentum for adam", "local: {optimizer: adam, momentum: 0.9}\n", "run.yaml:1: local.momentum: only sgd has it"},
		{"epochs", "local: {epochs: -1}\n", "run.yaml:1: local.epochs: want 1 or more"},
		{"batch", "local: {batch: -1}\n", "run.yaml:1: local.batch: want 1 or more, or 0 for the whole shard"},
		{"dataset", "simulation: {dataset: minst}\n", `run.yaml:1: simulation.dataset: "minst" is not known`},
		{"mnist without folder", "simulation:\n  dataset: mnist\n", "run.yaml:1: simulation.data: mnist needs the folder that its files are in; `accord data fetch mnist"},
		{"sites", "simulation: {sites: 0}\n", "run.yaml:1: simulation.sites: want 1 or more"},
		{"model by another name", "model: resnet\n", "run.yaml:1: model: want reference, {spec: FILE}, a spec"},
		{"key of an inline spec", "seed: 1\nmodel:\n  # a comment\n\n  input: [28, 28, 1]\n  layerz: []\nrounds: 3\n", "run.yaml:6: "},
		{"layer of an inline spec", "model: {input: [28, 28, 1],\n  layers: [{dens: {units: 3}}]}\nrounds: 3\n", "run.yaml:2: "},
		{"opaque, from nothing", "model: opaque\n", "run.yaml:1: model: opaque needs an initial model"},
		{"spec in a file", "model: {spec: net.yaml}\n", "run.yaml:1: model.spec: the spec must be written out here"},
		{"spec without a file", "model: {spec: 3}\n", "run.yaml:1: model.spec: want the path of a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("run.yaml", []byte(c.text))
			if err == nil {
				t.Fatalf("no error; want %q", c.want)
			}
			if !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %q\nwant %q", err, c.want)
			}
			if !errors.Is(err, fault.Input) {
				t.Errorf("%v is not of class fault.Input", err)
			}
		})
	}
}

func TestEveryProblemIsReportedInOrder(t *testing.T) {
	_, err := Parse("run.yaml", []byte("rounds: 0\nlocal:\n  lr: -1\nfraction: 2\n"))
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v, want Problems", err)
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.Path)
	}
	if diff := cmp.Diff([]string{"rounds", "local.lr", "fraction"}, got); diff != "" {
		t.Errorf("paths differ (-want +got):\n%s", diff)
	}
}

func TestScheduleSurvivesARoundTrip(t *testing.T) {
	for text, want := range map[string]optim.Schedule{
		"local: {lr: 0.3, lr_schedule: inverse_sqrt}\n":           optim.InverseSqrt,
		"local: {lr_schedule: constant}\n":                        optim.Constant,
		"local: {optimizer: adam}\n":                              optim.Constant,
		"local: {optimizer: adam, lr_schedule: 'inverse_sqrt'}\n": optim.InverseSqrt,
	} {
		run, err := Parse("run.yaml", []byte(text))
		if err != nil || run.Local.LRSchedule != want {
			t.Errorf("%q: got %q and error %v, want %q", text, run.Local.LRSchedule, err, want)
		}
		sent, err := run.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Parse("sent", sent); err != nil || cmp.Diff(run, again, sameNetwork) != "" {
			t.Errorf("%q: read back as %+v, error %v", text, again.Local, err)
		}
	}
}

// Small learning rates are written with an exponent, by people and by Marshal.
func TestNumbersMayHaveExponents(t *testing.T) {
	for text, want := range map[string]float64{"1e-5": 1e-5, "1E-05": 1e-5, "1.0e-05": 1e-5, "2e1": 20} {
		got, err := Parse("run.yaml", []byte("local: {lr: "+text+"}\n"))
		if err != nil || got.Local.LR != want {
			t.Errorf("%s: got %v and error %v, want %v", text, got.Local.LR, err, want)
		}
	}
	for _, text := range []string{`"1e-5"`, "1e", "1e999", "0x1p-2", "e5"} {
		if got, err := Parse("run.yaml", []byte("local: {lr: "+text+"}\n")); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got %v and error %v, want an input error", text, got.Local.LR, err)
		}
	}
	for _, lr := range []float64{1e-5, 1.5e-7, 1e21, 5e-324, math.MaxFloat64} {
		run := Defaults()
		run.Local.LR = lr
		sent, err := run.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Parse("sent", sent); err != nil || again.Local.LR != lr {
			t.Errorf("%g: read back as %g, error %v", lr, again.Local.LR, err)
		}
	}
}

func TestLoadTakesPathsFromTheFilesFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "net.yaml"), "input: [28, 28, 1]\nlayers:\n  - flatten: {}\n  - dense: {units: 10, activation: softmax}\n")
	file := filepath.Join(dir, "run.yaml")
	write(t, file, "model: {spec: net.yaml}\ninit: w.safetensors\nsimulation: {dataset: 'npz:sets/x.npz'}\n")
	run, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if run.Model.Spec == nil || run.Model.File != "" {
		t.Errorf("model: got %+v, want the spec read in", run.Model)
	}
	if got, want := run.Init, filepath.Join(dir, "w.safetensors"); got != want {
		t.Errorf("init: got %q, want %q", got, want)
	}
	if got, want := run.Simulation.Dir, dir; got != want {
		t.Errorf("folder of the data set: got %q, want %q", got, want)
	}

	sent, err := run.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("sent", sent)
	if err != nil {
		t.Fatalf("reading back:\n%s\n%v", sent, err)
	}
	if diff := cmp.Diff(run, again, sameNetwork); diff != "" {
		t.Errorf("run changed on the way (-sent +read):\n%s", diff)
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bad-net.yaml"), "input: [28, 28, 1]\nlayerz: []\n")
	write(t, filepath.Join(dir, "big.yaml"), strings.Repeat("#", yamltree.MaxBytes+1))
	for _, c := range []struct{ name, text, want string }{
		{"bad-spec.yaml", "seed: 1\nmodel: {spec: bad-net.yaml}\n", "bad-net.yaml:2"},
		{"no-spec.yaml", "seed: 1\nmodel: {spec: none.yaml}\n", "no-spec.yaml:2: model.spec: "},
	} {
		write(t, filepath.Join(dir, c.name), c.text)
		_, err := Load(filepath.Join(dir, c.name))
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, fault.Input) {
			t.Errorf("%s: got %v, want an input error with %q", c.name, err, c.want)
		}
	}
	for _, name := range []string{"none.yaml", "big.yaml", "."} {
		if _, err := Load(filepath.Join(dir, name)); !errors.Is(err, fault.Input) {
			t.Errorf("load %s: got %v, want an input error", name, err)
		}
	}
}

// sameNetwork compares specs by what they mean: a run is sent with the defaults
// of its spec spelled out.
var sameNetwork = cmp.Comparer(func(a, b *model.Spec) bool {
	return a == b || a != nil && b != nil && a.Hash() == b.Hash()
})

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("name: x\nlocal: {lr: 0.1}\n"))
	f.Add([]byte("model: {input: [28, 28, 1], layers: [{flatten: {}}, {dense: {units: 10, activation: softmax}}]}\n"))
	f.Add([]byte("model: {spec: x}\nwindow: {deadline: 5m}\n"))
	f.Add([]byte("model: opaque\ninit: w.safetensors\n"))
	f.Add([]byte("local: {lr_schedule: inverse_sqrt}\n"))
	f.Add([]byte("local: {lr: 1e-5}\nserver_lr: 2e+1\n"))
	f.Add([]byte("a: &a [*a]\n<<: *a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		run, err := Parse("fuzz", data)
		if err != nil {
			if !errors.Is(err, fault.Input) {
				t.Fatalf("%v is not of class fault.Input", err)
			}
			return
		}
		sent, err := run.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("again", sent)
		if err != nil {
			t.Fatalf("a valid run is not valid when written and read again: %v\n%s", err, sent)
		}
		if diff := cmp.Diff(run, again, sameNetwork); diff != "" {
			t.Fatalf("run changed on the way (-sent +read):\n%s", diff)
		}
	})
}

// What a submission gets wrong is told to whoever sent it, within bounds.
func TestErrorsAreBounded(t *testing.T) {
	var keys strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&keys, "key%d: 1\n", i)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"many problems", keys.String(), "and 4980 more"},
		{"a long value", "name: " + strings.Repeat("x", 50_000), "…"},
		{"a long key", strings.Repeat("x", 50_000) + ": 1", "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("sent", []byte(tt.text))
			if !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 16_000 {
				t.Errorf("got %d bytes of error, %.200v, want bad input with %q", len(fmt.Sprint(err)), err, tt.want)
			}
		})
	}
}
