package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/accord-fl/accord/internal/report"
)

// at returns a writer that calls f when text first appears in what is written.
func at(text string, f func()) io.Writer { return &trigger{text: text, f: f} }

type trigger struct {
	mu   sync.Mutex
	seen strings.Builder
	text string
	f    func()
}

func (w *trigger) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.Write(p)
	if w.f != nil && strings.Contains(w.seen.String(), w.text) {
		w.f()
		w.f = nil
	}
	return len(p), nil
}

func TestSimulateResumes(t *testing.T) {
	args := append(tinySimulation(t, "train", "test"), "--rounds", "25", "--baselines")
	_, want := simulated(t, args)
	for name, when := range map[string]string{
		"after a round":         "accuracy",
		"during the comparison": "to compare",
	} {
		dir := filepath.Join(t.TempDir(), "run")
		ctx, cancel := context.WithCancel(t.Context())
		stderr := at(when, cancel)
		if code := run(ctx, append(slices.Clone(args), "--out", dir), io.Discard, stderr); code != exitInterrupted {
			t.Fatalf("%s: exit code %d, want %d", name, code, exitInterrupted)
		}
		if text := stderr.(*trigger).seen.String(); !strings.Contains(text, "simulate --resume "+dir) {
			t.Errorf("%s: does not say how to go on:\n%s", name, text)
		}
		var got report.Summary
		decode(t, mustAccord(t, "simulate", "--resume", dir, "--json"), &got)
		if got.ModelDigest != want.ModelDigest || got.Rounds != want.Rounds || *got.Accuracy != *want.Accuracy || *got.AUC != *want.AUC {
			t.Errorf("%s: got %+v, want the result of a run that was not interrupted: %+v", name, got, want)
		}
		page, err := os.ReadFile(filepath.Join(dir, report.ReportFile))
		if err != nil || !strings.Contains(string(page), "site-03 alone") || !strings.Contains(string(page), "--file="+filepath.Join(dir, runFile)) {
			t.Errorf("%s: the report (%v) lacks the comparison or how to reproduce it:\n%s", name, err, page)
		}
		if r := accord(t, "simulate", "--resume", dir); r.code != exitExists || !strings.Contains(r.stderr, "has ended already") {
			t.Errorf("%s: resumed again: got %+v", name, r)
		}
		if _, err := os.Stat(filepath.Join(dir, "spool")); err == nil {
			t.Errorf("%s: the artefacts of the rounds were left behind", name)
		}
		cancel()
	}
}

// Data named by a relative path are found again from another folder.
func TestSimulateResumesFromElsewhere(t *testing.T) {
	args := append(tinySimulation(t, "train", "test"), "--rounds", "25")
	data := strings.TrimPrefix(args[len(args)-3], "safetensors:")
	i := slices.Index(args, "safetensors:"+data)
	t.Chdir(filepath.Dir(filepath.Dir(data)))
	args[i] = "safetensors:" + filepath.Base(data)
	args = append(args, "--data", filepath.Base(filepath.Dir(data)))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := filepath.Join(t.TempDir(), "run")
	if code := run(ctx, append(args, "--out", dir), io.Discard, at("accuracy", cancel)); code != exitInterrupted {
		t.Fatalf("exit code %d, want %d", code, exitInterrupted)
	}
	t.Chdir(t.TempDir())
	mustAccord(t, "simulate", "--resume", dir)
}
