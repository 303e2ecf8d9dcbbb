package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/model"
)

// startBare runs a coordinator without a test set.
func startBare(t *testing.T, dir string) (address string, stop func()) {
	t.Helper()
	return startWith(t, dir, "")
}

// startWith runs a coordinator whose configuration says more.
func startWith(t *testing.T, dir, more string) (address string, stop func()) {
	t.Helper()
	file := filepath.Join(dir, "coordinator.yaml")
	writeFile(t, file, "insecure: true\n"+more)
	log := newLogBuffer(readyAddress)
	stop = background(t, log, "coordinator", "-f", file, "--listen", "127.0.0.1:0", "--dir", filepath.Join(dir, "coordinator"))
	return log.wait(t), stop
}

// A run of a model that only its owners know: it starts from a file, and the
// sites train it with a program of their own.
func TestRunFromAContractAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: the site's program is a shell script")
	}
	dir := t.TempDir()
	initial := filepath.Join(dir, "initial.safetensors")
	contract := model.Contract{Tensors: []model.TensorSpec{{Name: "encoder.weight", DType: "F32", Shape: []int{3, 2}}}}
	if err := model.SaveParams(initial, model.NewParams(contract)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "run.yaml")
	writeFile(t, file, "name: opaque\nmodel: opaque\ninit: initial.safetensors\nrounds: 2\nmin_sites: 2\n")
	address, stop := startBare(t, dir)
	defer stop()

	var submitted struct{ Name, Note string }
	decode(t, mustAccord(t, "run", "submit", "-f", file, "--coordinator", address, "--json"), &submitted)
	if submitted.Name != "opaque" || submitted.Note == "" {
		t.Errorf("submit printed %+v", submitted)
	}
	for i := range 2 {
		site := filepath.Join(dir, fmt.Sprintf("site-%d.yaml", i))
		writeFile(t, site, fmt.Sprintf(`
name: site-%d
insecure: true
trainer: exec
exec:
  command: [sh, -c, 'cp global.safetensors update.safetensors && echo "{\"samples\": $N, \"steps\": 1}" > metrics.json']
  environment: {N: "7"}
`, i))
		leave := background(t, os.Stderr, "participant", "-f", site, "--coordinator", address, "--dir", filepath.Join(dir, fmt.Sprint(i)))
		defer leave()
	}
	watched := mustAccord(t, "run", "watch", "opaque", "--coordinator", address)
	if !strings.Contains(watched, "round 2/2  not measured") || !strings.Contains(watched, "complete: 4 updates accepted") {
		t.Errorf("watch printed:\n%s", watched)
	}
	got, err := model.LoadParams(filepath.Join(dir, "coordinator", "runs", "opaque", "model.safetensors"), contract)
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest() != model.NewParams(contract).Digest() {
		t.Errorf("got weights %v from sites that change nothing", got.Flat())
	}
}

// The sites' programs change each weight, and the coordinator's measures what
// came of it.
func TestRunThatProgramsTrainAndMeasure(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	contract := model.Contract{Tensors: []model.TensorSpec{
		{Name: "encoder.weight", DType: "F32", Shape: []int{3, 2}}, {Name: "scale", DType: "F32"},
	}}
	if err := model.SaveParams(filepath.Join(dir, "initial.safetensors"), model.NewParams(contract)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "run.yaml")
	writeFile(t, file, "name: opaque\nmodel: opaque\ninit: initial.safetensors\nrounds: 2\nmin_sites: 2\n")
	address, stop := startWith(t, dir, fmt.Sprintf("evaluator: {command: [%q], environment: {%s: measure}}\n", self, actAs))
	defer stop()
	mustAccord(t, "run", "submit", "-f", file, "--coordinator", address)
	for i, step := range []string{"0.25", "0.5"} { // 3 samples and 1: a mean of 0.3125
		site := filepath.Join(dir, fmt.Sprintf("site-%d.yaml", i))
		writeFile(t, site, fmt.Sprintf("name: site-%d\ninsecure: true\ntrainer: exec\nexec: {command: [%q], environment: {%s: train, STEP: %q, SAMPLES: %q}}\n",
			i, self, actAs, step, []string{"3", "1"}[i]))
		leave := background(t, io.Discard, "participant", "-f", site, "--coordinator", address, "--dir", filepath.Join(dir, fmt.Sprint(i)))
		defer leave()
	}
	mustAccord(t, "run", "watch", "opaque", "--coordinator", address)
	var shown coordinator.RunStatus
	decode(t, mustAccord(t, "run", "show", "opaque", "--coordinator", address, "--json"), &shown)
	for i, want := range []float64{0.3125, 0.625} {
		v := shown.Published[i]
		if v.Accuracy == nil || *v.Accuracy != want || v.Loss == nil || *v.Loss != 1-want {
			t.Errorf("round %d: accuracy %v, loss %v; want %g, %g", i+1, v.Accuracy, v.Loss, want, 1-want)
		}
	}
}

func TestRunVerbs(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "run.yaml")
	writeFile(t, file, "name: demo\nrounds: 1\nmin_sites: 9\n")
	address, stop := startBare(t, dir)
	defer stop()
	on := func(args ...string) []string { return append(args, "--coordinator", address) }

	if text := mustAccord(t, on("run", "list")...); !strings.Contains(text, "No site attends") || !strings.Contains(text, "No run was submitted") {
		t.Errorf("list printed:\n%s", text)
	}
	if text := mustAccord(t, on("run", "submit", "-f", file)...); !strings.Contains(text, "accord run watch demo") {
		t.Errorf("submit printed:\n%s", text)
	}
	mustAccord(t, on("run", "submit", "-f", file, "--name", "second")...)
	var list struct {
		Runs      []coordinator.RunStatus
		Attending []string
	}
	decode(t, mustAccord(t, on("run", "list", "--json")...), &list)
	if len(list.Runs) != 2 || list.Runs[1].Name != "second" || list.Attending == nil {
		t.Errorf("list printed %+v", list)
	}
	if text := mustAccord(t, on("run", "show", "demo")...); !strings.Contains(text, "selecting") {
		t.Errorf("show printed:\n%s", text)
	}
	mustAccord(t, on("run", "stop", "demo", "--reason", "wrong rate")...)
	if text := mustAccord(t, on("run", "list", "--active")...); strings.Contains(text, "demo") || !strings.Contains(text, "second") {
		t.Errorf("list --active printed:\n%s", text)
	}
	decode(t, mustAccord(t, on("run", "list", "--limit", "1", "--json")...), &list)
	if len(list.Runs) != 1 || list.Runs[0].Name != "second" {
		t.Errorf("list --limit 1 printed %+v", list)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stderr strings.Builder
	if code := run(ctx, on("run", "watch", "second", "--json"), at("selecting", cancel), &stderr); code != exitInterrupted || !strings.Contains(stderr.String(), "The run goes on") {
		t.Errorf("a watch that was interrupted: exit code %d and %q", code, &stderr)
	}

	empty, broken := filepath.Join(dir, "empty.yaml"), filepath.Join(dir, "broken.yaml")
	writeFile(t, empty, "# name: later\n")
	writeFile(t, broken, "name: third\ninit: empty.yaml\n")
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"a stopped run":        {on("run", "watch", "demo"), exitFailure, "run demo was stopped: wrong rate"},
		"stopped already":      {on("run", "stop", "demo"), exitInput, "ended already"},
		"no such run":          {on("run", "show", "other"), exitInput, "no run of that name"},
		"a name taken":         {on("run", "submit", "-f", file), exitExists, "choose another name"},
		"no run file":          {on("run", "submit", "-f", file+".not"), exitInput, "run.yaml.not"},
		"no run named":         {on("run", "show"), exitUsage, "usage: accord run show NAME"},
		"not this machine":     {[]string{"run", "list", "--coordinator", "192.0.2.1:7443"}, exitInput, "loopback"},
		"nobody answers":       {[]string{"run", "list", "--coordinator", "127.0.0.1:1"}, exitUnavailable, "coordinator 127.0.0.1:1 cannot be reached: dial tcp"},
		"an empty run file":    {on("run", "submit", "-f", empty), exitInput, "empty.yaml says nothing"},
		"a broken init":        {on("run", "submit", "-f", broken), exitInput, "empty.yaml"},
		"a run that goes on":   {on("run", "rm", "second", "--yes"), exitInput, "has not ended: stop it"},
		"nothing to remove":    {on("run", "rm", "other", "--yes"), exitInput, "no run of that name"},
		"nobody to be asked":   {on("run", "rm", "demo"), exitUsage, "--yes"},
		"a limit of nonsense":  {on("run", "list", "--limit", "-1"), exitUsage, "--limit"},
		"versions of nonsense": {on("run", "show", "demo", "--last", "-2"), exitUsage, "--last"},
		"an opaque nothing":    {on("run", "submit", "-f", opaqueRun(t)), exitInput, "init"},
	} {
		if r := accord(t, test.args...); r.code != test.code || !strings.Contains(r.stderr, test.want) {
			t.Errorf("%s: exit code %d and %q, want %d and %q", name, r.code, r.stderr, test.code, test.want)
		}
	}
}

// opaqueRun returns a run file that lacks the model to start from.
func opaqueRun(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "run.yaml")
	writeFile(t, file, "model: opaque\n")
	return file
}

func TestParticipantRefusesItsConfiguration(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"name: a\ndata: {dataset: digits}\n":                                             "insecure",
		"name: a\ninsecure: true\ncoordinator: 10.0.0.1:7443\ndata: {dataset: digits}\n": "loopback",
		"name: a/b\ninsecure: true\ndata: {dataset: digits}\n":                           "name",
		"name: a\ninsecure: true\ndata: {dataset: 'idx:no/such/folder'}\n":               "no/such/folder",
		"name: a\ninsecure: true\ntrainer: exec\n":                                       "exec.command",
	} {
		file := filepath.Join(dir, "participant.yaml")
		writeFile(t, file, text)
		if r := accord(t, "participant", "-f", file, "--dir", filepath.Join(dir, "state")); r.code != exitInput || !strings.Contains(r.stderr, want) {
			t.Errorf("%q: exit code %d and %q, want %d and %q", text, r.code, r.stderr, exitInput, want)
		}
	}
}

// The examples fit each other and the shards of the command that they name.
func TestExamplesFitTogether(t *testing.T) {
	dir := t.TempDir()
	for _, part := range []string{"configs", "examples"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join("..", "..", part))); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	coordinator, err := config.LoadCoordinator("configs/coordinator.yaml")
	if err != nil {
		t.Fatal(err)
	}
	run, err := config.Load("configs/run.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if run.MinSites != run.Simulation.Sites {
		t.Errorf("run.yaml waits for %d sites and simulates %d", run.MinSites, run.Simulation.Sites)
	}
	mustAccord(t, "data", "partition", "--dataset", run.Simulation.Dataset, "--sites", fmt.Sprint(run.Simulation.Sites),
		"--samples-per-site", "10", "--test-samples", "10", "--out", "shards")
	if _, err := loadTests(coordinator); err != nil {
		t.Error(err)
	}
	for _, file := range []string{"configs/participant.yaml", "configs/participant-exec.yaml", "examples/pytorch/participant.yaml"} {
		site, err := config.LoadParticipant(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if site.Coordinator != coordinator.Listen {
			t.Errorf("%s dials %s, the coordinator listens on %s", file, site.Coordinator, coordinator.Listen)
		}
		if site.Trainer == config.TrainerBuiltin {
			_, err = shardOf(site.Data)
		} else { // python3 PROGRAM --data SHARD
			_, programErr := os.Stat(site.Exec.Command[1])
			_, shardErr := os.Stat(site.Exec.Command[3])
			err = errors.Join(programErr, shardErr)
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
