package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"gonum.org/v1/gonum/stat"

	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/model"
)

// tinySimulation are the flags of a simulation that takes milliseconds.
func tinySimulation(t *testing.T, parts ...string) []string {
	t.Helper()
	return append([]string{"simulate", "--sites", "3", "--rounds", "3", "--epochs", "1", "--batch", "4", "--lr", "0.05"}, tinyFiles(t, parts...)...)
}

// simulated runs a simulation in a folder of its own and returns the folder
// and what --json printed.
func simulated(t *testing.T, args []string, more ...string) (dir string, sum report.Summary) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "run")
	decode(t, mustAccord(t, slices.Concat(args, more, []string{"--out", dir, "--json"})...), &sum)
	return dir, sum
}

func TestSimulateLeavesARunFolder(t *testing.T) {
	dir, sum := simulated(t, tinySimulation(t, "train", "test"))
	for _, name := range []string{report.CurvesSVG, report.CurvesPNG, report.ReportFile, runFile, "journal.jsonl"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v, want a file with something in it", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "spool")); err == nil {
		t.Error("the artefacts of the rounds were left behind")
	}
	card, err := report.ReadModel(filepath.Join(dir, report.CardFile))
	if err != nil {
		t.Fatal(err)
	}
	if card.Spec == nil || card.Accuracy == nil || card.Loss == nil || len(card.PerClassAccuracy) != 2 || *card.Accuracy != *sum.Accuracy {
		t.Errorf("model.json lacks something: %+v", card)
	}
	l := card.Lineage
	if l.Run != "safetensors" || l.Round != 3 || l.Seed != 1 || l.Sites != 3 || len(l.Updates) != 3 || l.Parent == "" || l.Dataset == "" || l.Kernel == "" {
		t.Errorf("lineage lacks something: %+v", l)
	}
	p, err := model.LoadParams(filepath.Join(dir, report.ModelFile), card.Spec.Contract())
	if err != nil {
		t.Fatal(err)
	}
	if p.Digest() != card.Digest || p.Digest() != sum.ModelDigest {
		t.Errorf("model.safetensors is %.12s, model.json says %.12s, --json %.12s", p.Digest(), card.Digest, sum.ModelDigest)
	}
	rounds, err := report.ReadMetrics(filepath.Join(dir, report.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	if len(rounds) != 3 || rounds[2].Accuracy == nil || rounds[2].Samples != 48 || rounds[2].Sites != 3 || rounds[2].TrainLoss == nil {
		t.Errorf("metrics: got %+v", rounds)
	}
}

// The keys are a promise to scripts.
func TestSimulateJSON(t *testing.T) {
	args := append(tinySimulation(t, "train", "test"), "--stop-at", "0.6", "--rounds", "9", "--baselines")
	dir := filepath.Join(t.TempDir(), "run")
	var got map[string]any
	decode(t, mustAccord(t, append(args, "--out", dir, "--json")...), &got)
	want := []string{"accuracy", "auc", "baselines", "best_accuracy", "kernel", "model_digest", "peak_rss_bytes", "rounds", "rounds_to_target",
		"samples_per_second", "seconds", "seed", "sensitivity", "specificity", "train_seconds"}
	var keys []string
	for key, value := range got {
		keys = append(keys, key)
		if value == nil {
			t.Errorf("%s is null", key)
		}
	}
	slices.Sort(keys)
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("keys differ (-want +got):\n%s", diff)
	}
	if alone, _ := got["baselines"].(map[string]any)["sites"].(map[string]any); len(alone) != 3 {
		t.Errorf("got %d sites alone, want 3", len(alone))
	}
	page, err := os.ReadFile(filepath.Join(dir, report.ReportFile))
	if err != nil || !strings.Contains(string(page), "site-03 alone") {
		t.Errorf("report.md (%v) lacks the baselines", err)
	}
}

func TestSimulateStopsAtItsTarget(t *testing.T) {
	_, sum := simulated(t, tinySimulation(t, "train", "test"), "--rounds", "50", "--stop-at", "0.9")
	if sum.RoundsToTarget == nil || *sum.RoundsToTarget != sum.Rounds || sum.Rounds >= 50 || *sum.Accuracy < 0.9 {
		t.Errorf("got %+v, want an end before round 50, at 90 %%", sum)
	}
}

func TestSimulateIsReproducible(t *testing.T) {
	args := tinySimulation(t, "train", "test")
	_, first := simulated(t, args, "--threads", "1")
	for name, c := range map[string]struct {
		flags []string
		same  bool
	}{
		"two threads":   {[]string{"--threads", "2"}, true},
		"with progress": {[]string{"--baselines"}, true},
		"other seed":    {[]string{"--seed", "2"}, false},
		"other name":    {[]string{"--name", "other"}, false},
		"whole shard":   {[]string{"--batch", "0"}, false},
		"adam":          {[]string{"--optimizer", "adam"}, false},
		"shards":        {[]string{"--partition", "shards:2"}, false},
		"dirichlet":     {[]string{"--partition", "dirichlet:0.5"}, false},
		"quantity":      {[]string{"--partition", "quantity:0.5"}, false},
		"uniform":       {[]string{"--weighting", "uniform", "--partition", "quantity:0.5"}, false},
		"some sites":    {[]string{"--fraction", "0.34"}, false},
	} {
		if _, sum := simulated(t, args, c.flags...); (sum.ModelDigest == first.ModelDigest) != c.same {
			t.Errorf("%s: the same digest: %v, want %v", name, !c.same, c.same)
		}
	}
}

// Every flag mirrors a key of the run file, and wins over it.
func TestSimulateFlagsMirrorTheFile(t *testing.T) {
	flags := []string{"--name", "x", "--seed", "7", "--rounds", "2", "--fraction", "0.5", "--stop-at", "0.9", "--server-lr", "0.5", "--weighting", "uniform",
		"--threads", "2", "--baselines", "--dataset", "npz:a.npz", "--data", "dir", "--sites", "4", "--partition", "shards:2",
		"--samples-per-site", "20", "--test-samples", "30", "--init", "w.safetensors",
		"--epochs", "3", "--batch", "7", "--steps", "9", "--shuffle=false", "--optimizer", "sgd", "--lr", "0.3", "--lr-schedule", "inverse_sqrt", "--momentum", "0.9", "--weight-decay", "0.01"}
	t.Chdir(t.TempDir()) // paths in a file are taken from its folder
	const mirrored, opposed = "mirrored.yaml", "opposed.yaml"
	writeFile(t, mirrored, `name: x
seed: 7
rounds: 2
fraction: 0.5
min_sites: 4
stop_at: 0.9
server_lr: 0.5
weighting: uniform
init: w.safetensors
local: {epochs: 3, batch: 7, steps: 9, shuffle: false, optimizer: sgd, lr: 0.3, lr_schedule: inverse_sqrt, momentum: 0.9, weight_decay: 0.01}
simulation: {dataset: "npz:a.npz", data: dir, sites: 4, partition: "shards:2", samples_per_site: 20, test_samples: 30, threads: 2, baselines: true}
`)
	writeFile(t, opposed, `name: y
seed: 8
rounds: 3
fraction: 0.6
min_sites: 6
stop_at: 0.8
server_lr: 0.6
local: {epochs: 4, batch: 8, steps: 10, optimizer: adam, lr: 0.4, lr_schedule: constant}
simulation: {dataset: digits, sites: 5, partition: iid, samples_per_site: 21, test_samples: 31, threads: 1}
`)
	parse := func(args ...string) config.Run {
		var f simulateFlags
		given := config.Defaults()
		set := pflag.NewFlagSet("simulate", pflag.ContinueOnError)
		apply := runFlags(set, &given)
		set.StringVar(&f.file, "file", "", "")
		if err := set.Parse(args); err != nil {
			t.Fatal(err)
		}
		cfg, err := f.config(apply)
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	want := parse("--file", mirrored)
	for name, args := range map[string][]string{
		"flags alone":               flags,
		"flags beside their mirror": append([]string{"--file", mirrored}, flags...),
		"flags win":                 append([]string{"--file", opposed}, flags...),
	} {
		if diff := cmp.Diff(want, parse(args...)); diff != "" {
			t.Errorf("%s: differs from the file (-file +got):\n%s", name, diff)
		}
	}
	if got := parse("--file", opposed); got.Rounds != 3 || got.Local.LR != 0.4 || got.Seed != 8 {
		t.Errorf("flags that were not given changed the file: %+v", got)
	}
}

func TestSimulateSweepsSeeds(t *testing.T) {
	args := append(tinySimulation(t, "train", "test"), "--rounds", "1")
	var sweep sweepSummary
	dir := filepath.Join(t.TempDir(), "runs")
	decode(t, mustAccord(t, append(args, "--seeds", "2..4", "--out", dir, "--json")...), &sweep)
	var accuracies []float64
	for i, r := range sweep.Runs {
		if r.Seed != uint64(2+i) {
			t.Errorf("run %d has seed %d", i, r.Seed)
		}
		accuracies = append(accuracies, *r.Accuracy)
	}
	if len(sweep.Runs) != 3 || math.Abs(*sweep.Accuracy-stat.Mean(accuracies, nil)) > 1e-12 || math.Abs(*sweep.AccuracyStd-stat.StdDev(accuracies, nil)) > 1e-12 {
		t.Errorf("got %+v", sweep)
	}
	if _, alone := simulated(t, args, "--seed", "3"); alone.ModelDigest != sweep.Runs[1].ModelDigest {
		t.Error("seed 3 of a range and seed 3 alone give different models")
	}
	page, err := os.ReadFile(filepath.Join(dir, "seed-3", report.ReportFile))
	if err != nil || !strings.Contains(string(page), " --seed=3\n") {
		t.Errorf("the report (%v) of seed 3 does not say how to reproduce it:\n%s", err, page)
	}
	if text := mustAccord(t, append(args, "--seeds", "1..2", "--out", dir+"-2")...); !strings.Contains(text, "standard deviation of 2 seeds") {
		t.Errorf("got %s", text)
	}
}

// What a person sees, and that the commands to go on with work.
func TestSimulateSaysWhatToDoNext(t *testing.T) {
	args := append(tinySimulation(t, "train", "test"), "--baselines")
	r := accord(t, append(args, "--out", filepath.Join(t.TempDir(), "run"))...)
	if r.code != exitOK {
		t.Fatal(r.stderr)
	}
	for _, want := range []string{"site-01 alone", "the federation", "all data in one place", "the comparison: "} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("stdout lacks %q:\n%s", want, r.stdout)
		}
	}
	if got := strings.Count(r.stderr, "round "); got != 4 { // at once, and one a round
		t.Errorf("%d lines about 3 rounds, want 4:\n%s", got, r.stderr)
	}
	_, next, _ := strings.Cut(r.stdout, "Next:\n")
	commands := strings.Split(strings.TrimSpace(next), "\n")
	if len(commands) != 3 {
		t.Fatalf("got %q, want three commands", commands)
	}
	for _, command := range commands {
		_, rest, _ := strings.Cut(command, "cmd/accord ") // a test runs like go run does
		if fields := strings.Fields(rest); len(fields) == 0 || mustAccord(t, fields...) == "" {
			t.Errorf("%q printed nothing", command)
		}
	}
}

// Of many sites the table shows the worst, the median and the best.
func TestSimulateSumsUpManySites(t *testing.T) {
	args := append(tinySimulation(t, "train", "test"), "--sites", "24", "--rounds", "1", "--baselines")
	text := mustAccord(t, append(args, "--out", filepath.Join(t.TempDir(), "run"))...)
	for _, want := range []string{"alone (worst)", "alone (median)", "alone (best)"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("stdout lacks a line %q:\n%s", want, text)
		}
	}
	if got := strings.Count(text, " alone"); got != 3 {
		t.Errorf("%d sites alone, want 3:\n%s", got, text)
	}
}

// The version handed out is the best on the validation images, and the
// accuracy told is that version's on the test images.
func TestSimulateKeepsTheVersionThatValidatesBest(t *testing.T) {
	// A learning rate this high makes the accuracy jump from round to round.
	dir, sum := simulated(t, tinySimulation(t, "train", "val", "test"), "--rounds", "8", "--lr", "30")
	rounds, err := report.ReadMetrics(filepath.Join(dir, report.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	best := rounds[0]
	for _, r := range rounds {
		if *r.ValAccuracy > *best.ValAccuracy {
			best = r
		}
	}
	card, err := report.ReadModel(filepath.Join(dir, report.CardFile))
	if err != nil {
		t.Fatal(err)
	}
	if sum.ModelDigest != best.Model || *sum.Accuracy != *best.Accuracy || card.Digest != best.Model || card.Lineage.Round != best.Round {
		t.Errorf("handed out %.12s with %v, want round %d: %.12s with %v", sum.ModelDigest, *sum.Accuracy, best.Round, best.Model, *best.Accuracy)
	}
}

func TestSimulateStartsFromAModel(t *testing.T) {
	args := tinySimulation(t, "train", "test")
	first, _ := simulated(t, args)
	r := accord(t, append(args, "--init", filepath.Join(first, report.ModelFile), "--out", filepath.Join(t.TempDir(), "run"))...)
	if r.code != exitOK || !strings.Contains(r.stderr, "tensors matched by name") {
		t.Errorf("got %+v", r)
	}
}

// Without flags a newcomer gets the comparison.
func TestSimulateWithoutFlagsCompares(t *testing.T) {
	bare, err := simulateFlags{bare: true}.config(func(*config.Run) {})
	if err != nil || !bare.Simulation.Baselines || bare.Name != "digits" {
		t.Errorf("got %+v, %v, want digits with baselines", bare, err)
	}
	written, err := simulateFlags{file: filepath.Join("..", "..", "configs", "simulate.yaml")}.config(func(*config.Run) {})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := digitsFor(written.Simulation), digitsFor(bare.Simulation); got != want {
		t.Errorf("configs/simulate.yaml draws %+v, without flags it is %+v", got, want)
	}
	s := &written.Simulation // which writes out
	s.Partition, s.SamplesPerSite, s.TestSamples = "", 0, 0
	if diff := cmp.Diff(written, bare); diff != "" {
		t.Errorf("differs from configs/simulate.yaml (-file +flagless):\n%s", diff)
	}
	if other, err := (simulateFlags{}).config(func(*config.Run) {}); err != nil || other.Simulation.Baselines {
		t.Errorf("got %+v, %v, want no baselines", other, err)
	}
}
