package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/report"
)

// 1/√t leaves the first round as it is and changes every later one.
func TestSimulateFollowsTheSchedule(t *testing.T) {
	models := func(flags ...string) (digests []string, folder string) {
		folder, _ = simulated(t, tinySimulation(t, "train", "test"), flags...)
		rounds, err := report.ReadMetrics(filepath.Join(folder, report.MetricsFile))
		if err != nil || len(rounds) != 3 {
			t.Fatalf("got %d rounds, error %v", len(rounds), err)
		}
		for _, r := range rounds {
			digests = append(digests, r.Model)
		}
		return digests, folder
	}
	unsaid, _ := models()
	constant, _ := models("--lr-schedule", "constant")
	falling, folder := models("--lr-schedule", "inverse_sqrt")
	for i := range unsaid {
		if unsaid[i] != constant[i] {
			t.Errorf("round %d: constant differs from what is done without the flag", i+1)
		}
		if same := constant[i] == falling[i]; same != (i == 0) {
			t.Errorf("round %d: 1/√t gives the model of a constant rate: %v", i+1, same)
		}
	}
	for file, want := range map[string]string{runFile: "lr_schedule: inverse_sqrt", report.ReportFile: "learning rate 0.05, inverse_sqrt"} {
		if text, err := os.ReadFile(filepath.Join(folder, file)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: error %v, want a text with %q, got:\n%s", file, err, want, text)
		}
	}
}

// Training in one place has no rounds, so it offers no schedule over them.
func TestTrainHasNoSchedule(t *testing.T) {
	r := accord(t, "train", "--lr-schedule", "inverse_sqrt")
	if r.code != exitUsage || !strings.Contains(r.stderr, "lr-schedule") {
		t.Errorf("got %+v, want a usage error", r)
	}
}
