package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/report"
)

// Two runs at once, with the same two sites, end with the models that they have
// when each runs alone.
func TestTwoRunsAtOnce(t *testing.T) {
	dir := t.TempDir()
	shards := filepath.Join(dir, "shards")
	mustAccord(t, "data", "partition", "--sites", "2", "--samples-per-site", "20", "--test-samples", "50", "--seed", "3", "--out", shards)
	names := []string{"red", "blue"}
	want := map[string]string{}
	for _, name := range names {
		run := strings.NewReplacer("demo", name, "sites: 3", "sites: 2").Replace(federationRun)
		writeFile(t, filepath.Join(dir, name+".yaml"), strings.Replace(run, "min_sites: 3", "min_sites: 2", 1))
		mustAccord(t, "simulate", "-f", filepath.Join(dir, name+".yaml"), "--out", filepath.Join(dir, "simulated", name))
		card, err := report.ReadModel(filepath.Join(dir, "simulated", name, report.CardFile))
		if err != nil {
			t.Fatal(err)
		}
		want[name] = card.Digest
	}
	if want["red"] == want["blue"] {
		t.Fatal("both runs have one model: nothing could be mixed up")
	}

	address, stop := startCoordinator(t, dir, shards)
	defer stop()
	for _, name := range names {
		mustAccord(t, "run", "submit", "-f", filepath.Join(dir, name+".yaml"), "--coordinator", address)
	}
	defer startParticipants(t, dir, shards, address, 2)()
	for _, name := range names {
		mustAccord(t, "run", "watch", name, "--coordinator", address)
		got, err := report.ReadModel(filepath.Join(dir, "coordinator", "runs", name, report.CardFile))
		if err != nil {
			t.Fatal(err)
		}
		if got.Digest != want[name] {
			t.Errorf("run %s: model %.12s beside the other, %.12s alone", name, got.Digest, want[name])
		}
	}
	list := mustAccord(t, "run", "list", "--coordinator", address)
	for _, name := range names {
		if !strings.Contains(list, fmt.Sprintf("%-4s  completed", name)) {
			t.Errorf("run list does not show %s completed:\n%s", name, list)
		}
	}
}
