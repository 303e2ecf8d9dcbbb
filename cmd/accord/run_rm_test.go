package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
)

// federate trains a run of two rounds on a coordinator with one site, and returns how to
// call it.
func federate(t *testing.T, dir, name string) (on func(args ...string) []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	address, stop := startBare(t, dir)
	t.Cleanup(stop)
	initial, run, site := filepath.Join(dir, "initial.safetensors"), filepath.Join(dir, "run.yaml"), filepath.Join(dir, "site.yaml")
	contract := model.Contract{Tensors: []model.TensorSpec{{Name: "w", DType: "F32", Shape: []int{2}}}}
	if err := model.SaveParams(initial, model.NewParams(contract)); err != nil {
		t.Fatal(err)
	}
	writeFile(t, run, fmt.Sprintf("name: %s\nmodel: opaque\ninit: initial.safetensors\nrounds: 2\nmin_sites: 1\n", name))
	writeFile(t, site, fmt.Sprintf("name: site\ninsecure: true\ntrainer: exec\nexec: {command: [%q], environment: {%s: train, STEP: \"1\", SAMPLES: \"1\"}}\n", self, actAs))
	t.Cleanup(background(t, os.Stderr, "participant", "-f", site, "--coordinator", address, "--dir", filepath.Join(dir, "site")))
	on = func(args ...string) []string { return append(args, "--coordinator", address) }
	mustAccord(t, on("run", "submit", "-f", run)...)
	mustAccord(t, on("run", "watch", name)...)
	return on
}

func TestRunRm(t *testing.T) {
	dir := t.TempDir()
	on := federate(t, dir, "done")
	results, run := filepath.Join(dir, "coordinator", "runs", "done"), filepath.Join(dir, "run.yaml")

	var shown coordinator.RunStatus
	decode(t, mustAccord(t, on("run", "show", "done", "--json")...), &shown)
	if shown.Versions != 2 || len(shown.Published) != 2 || shown.Candidate.Round != 2 {
		t.Errorf("show printed %+v", shown)
	}
	text := mustAccord(t, on("run", "show", "done", "--last", "1")...)
	if strings.Contains(text, "round 1/2") || !strings.Contains(text, "round 2/2") || !strings.Contains(text, "2 in all, the newest 1 below") {
		t.Errorf("show --last 1 printed:\n%s", text)
	}
	if text := mustAccord(t, on("run", "rm", "done", "--yes")...); !strings.Contains(text, "stays in runs/done") {
		t.Errorf("rm printed %q", text)
	}
	if _, err := os.Stat(results); err != nil {
		t.Errorf("what was published did not stay: %v", err)
	}
	if r := accord(t, on("run", "submit", "-f", run)...); r.code != exitExists || !strings.Contains(r.stderr, "runs/done") {
		t.Errorf("another of the name: exit code %d and %q", r.code, r.stderr)
	}
	mustAccord(t, on("run", "submit", "-f", run, "--name", "other")...)
	mustAccord(t, on("run", "watch", "other")...)
	var removed struct {
		Removed string
		Kept    bool
	}
	decode(t, mustAccord(t, on("run", "rm", "other", "--files", "--yes", "--json")...), &removed)
	if removed.Removed != "other" || removed.Kept {
		t.Errorf("rm --files printed %+v", removed)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(results), "other")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was published is still there: %v", err)
	}
	if text := mustAccord(t, on("run", "list")...); !strings.Contains(text, "No run was submitted") {
		t.Errorf("list printed:\n%s", text)
	}
}

func TestConfirm(t *testing.T) {
	for answer, want := range map[string]error{"y\n": nil, "Yes\n": nil, "yes": nil, "n\n": fault.Input, "\n": fault.Input, "": fault.Input, "yellow\n": fault.Input} {
		var asked strings.Builder
		err := confirm(strings.NewReader(answer), &asked, removal([]string{"a", "b"}, true))
		if want == nil && err != nil || !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", answer, err, want)
		}
		if asked.String() != "Remove 2 runs (a, b) and all that was published for good? [y/N] " {
			t.Errorf("asked %q", &asked)
		}
	}
}

// Whatever a watcher is sent, it prints each version once, and says when a restore has
// taken some back.
func TestWatcherPrintsEachVersionOnce(t *testing.T) {
	var out strings.Builder
	w := watcher{steering: &steering{stdout: &out}}
	version := func(n int) round.Version { return round.Version{Round: n, Model: "0a"} }
	for _, s := range []coordinator.RunStatus{
		{Versions: 0},
		{Versions: 2, Published: []round.Version{version(1), version(2)}},
		{Versions: 2, Published: []round.Version{version(2)}},                         // at least the newest
		{Versions: 3, Published: []round.Version{version(1), version(2), version(3)}}, // all, from an older coordinator
		{Versions: 1, Published: []round.Version{version(1)}},
		{Versions: 2, Published: []round.Version{version(2)}},
	} {
		s.Rounds = 9
		if err := w.see(s); err != nil {
			t.Fatal(err)
		}
	}
	want := ""
	for _, n := range []int{1, 2, 3, 0, 2} {
		if n == 0 {
			want += "the coordinator was restored: it has 1 of the run's 3 versions\n"
			continue
		}
		want += fmt.Sprintf("round %d/9  not measured  model 0a\n", n)
	}
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", &out, want)
	}
}
