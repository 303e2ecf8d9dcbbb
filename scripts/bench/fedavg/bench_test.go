package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/report"
)

// faked is a bench with the test binary for accord, on the rates of IID.
func faked(t *testing.T, mode string, log io.Writer) *bench {
	t.Helper()
	t.Setenv(fakeMode, mode)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return &bench{
		cells: plan(), only: regexp.MustCompile("iid constant E=5 B=10"), results: &results{Cells: map[string]result{}},
		out: dir, cache: filepath.Join(dir, "cache"), binary: self,
		federation: []string{"--data", "/secret/mnist"}, hidden: "/secret/mnist", log: log,
	}
}

// saved reads the results as another process would.
func (b *bench) saved(t *testing.T) *results {
	t.Helper()
	r, err := load(filepath.Join(b.out, resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMeasuresAndSaves(t *testing.T) {
	var log bytes.Buffer
	b := faked(t, "work", &log)
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	nine := 9
	want := result{
		Rounds: 9, ToTarget: &nine, Best: 0.99, LR: 0.1, Seconds: 4.5, Samples: 9 * 6000, Kernel: "fake",
		Command: "accord simulate --data DIR --partition iid --epochs 5 --batch 10 --optimizer sgd --lr 0.1 --lr-schedule constant --stop-at 0.99 --rounds 40",
	}
	saved := b.saved(t)
	if diff := cmp.Diff(want, saved.Cells["iid constant E=5 B=10 lr=0.1"]); diff != "" || len(saved.Cells) != 3 {
		t.Errorf("%d cells, want 3; differs (-want +got):\n%s", len(saved.Cells), diff)
	}
	if page, err := os.ReadFile(filepath.Join(b.out, pageFile)); err != nil || string(page) != saved.page() {
		t.Errorf("error %v; the page is not that of the results", err)
	}
	if !strings.Contains(log.String(), "cell 3 of 3, iid constant E=5 B=10 lr=0.2: 9; 9 rounds") {
		t.Errorf("does not tell how it goes:\n%s", &log)
	}
	// What is saved is not measured again.
	b.results, b.binary = saved, "not there"
	if err := b.run(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestGoesOnInTheMiddleOfACell(t *testing.T) {
	b := faked(t, "crash", io.Discard)
	err := b.run(t.Context())
	if err == nil || len(b.saved(t).Cells) != 0 {
		t.Fatalf("got error %v, want one and nothing saved", err)
	}
	dir := b.folder(b.open()[0])
	rounds, err := report.ReadMetrics(filepath.Join(dir, report.MetricsFile))
	if err != nil || len(rounds) != 3 {
		t.Fatalf("got %d rounds and error %v, want a cell that is half done", len(rounds), err)
	}
	mark := filepath.Join(dir, "mark") // stays only in a folder that is resumed
	if err := os.WriteFile(mark, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv(fakeMode, "work")
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mark); err != nil || b.saved(t).Cells["iid constant E=5 B=10 lr=0.05"].Rounds != 9 {
		t.Errorf("mark: %v; want the folder resumed and 9 rounds in all: %+v", err, b.saved(t))
	}
}

// A run that ended, but was not saved, is read; what is less than a run is
// thrown away.
func TestFoldersOfAnInterruption(t *testing.T) {
	b := faked(t, "work", io.Discard)
	open := b.open()
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := b.results
	if err := os.Remove(filepath.Join(b.folder(open[1]), runFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(b.folder(open[1]), report.ReportFile)); err != nil {
		t.Fatal(err)
	}
	b.results = &results{Cells: map[string]result{}}
	b.only = regexp.MustCompile("iid constant E=5 B=10 lr=0.05")
	b.binary = "not there"
	if err := b.run(t.Context()); err != nil {
		t.Errorf("a run that ended: %v", err)
	}
	b.only = regexp.MustCompile("iid constant E=5 B=10")
	b.binary, _ = os.Executable()
	if err := b.run(t.Context()); err != nil {
		t.Errorf("less than a run: %v", err)
	}
	if diff := cmp.Diff(want, b.results); diff != "" {
		t.Errorf("differs (-first +second):\n%s", diff)
	}
}

func TestInterruptionEndsCleanly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := faked(t, "wait", writerFunc(cancel))
	if err := b.run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v, want %v", err, context.Canceled)
	}
	if n := len(b.saved(t).Cells); n != 0 {
		t.Errorf("%d cells saved, want none", n)
	}
	t.Setenv(fakeMode, "work")
	if err := b.run(t.Context()); err != nil || len(b.saved(t).Cells) != 3 {
		t.Errorf("going on: error %v, %d cells, want 3", err, len(b.saved(t).Cells))
	}
}

// writerFunc calls a function once, when something is first written.
func writerFunc(f func()) io.Writer { return &onceWriter{f: f} }

type onceWriter struct {
	once sync.Once
	f    func()
}

func (w *onceWriter) Write(p []byte) (int, error) {
	w.once.Do(w.f)
	return len(p), nil
}

// A learning rate at which training diverges is a result, not a failure.
func TestDivergenceIsAResult(t *testing.T) {
	b := faked(t, "diverge", io.Discard)
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"then", "when it was not saved and is resumed"} {
		r, err := b.measure(t.Context(), b.open()[0], func([]report.Round) {})
		if err != nil || !r.Diverged || r.Rounds != 3 || r.ToTarget != nil || r.figure() != "diverged after 3" {
			t.Errorf("%s: got %+v and error %v, want a run that diverged after 3 rounds", when, r, err)
		}
		t.Setenv(fakeMode, "ended")
	}
}

// A run whose model only guesses any more is ended, and a result.
func TestCollapseIsAResult(t *testing.T) {
	b := faked(t, "collapse", io.Discard)
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"then", "when it was not saved and is resumed"} {
		r, err := b.measure(t.Context(), b.open()[0], func([]report.Round) {})
		if err != nil || r.Rounds != 3+collapseRounds || r.ToTarget != nil || r.figure() != "collapsed after 3" {
			t.Errorf("%s: got %+v and error %v, want a run that collapsed after 3 rounds", when, r, err)
		}
	}
}

// Cells whose learning rate is not known yet are left out, and said to be.
func TestCellsWaitForTheirRate(t *testing.T) {
	var log bytes.Buffer
	b := faked(t, "work", &log)
	b.only = regexp.MustCompile("iid constant (E=1 B=10|E=5 B=10 lr=0.1)")
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.results.Cells) != 1 || !strings.Contains(log.String(), "iid constant E=1 B=10 lr=best: left out") {
		t.Errorf("got %+v and\n%s", b.results, &log)
	}
}
