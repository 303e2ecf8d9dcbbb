package main

import (
	"path/filepath"
	"testing"

	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/scripts/bench/internal/accord"
)

// The real binary takes the flags of a cell and leaves what is read here.
func TestRealBinary(t *testing.T) {
	if testing.Short() {
		t.Skip("builds accord")
	}
	t.Chdir(filepath.Join("..", "..", ".."))
	fresh, err := accord.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = fresh.Remove() }() // scratch
	binary := fresh.Path
	b := &bench{
		binary: binary, cache: filepath.Join(t.TempDir(), "cache"), hidden: binary,
		federation: []string{"--dataset", "digits", "--sites", "4", "--samples-per-site", "10", "--test-samples", "10"},
	}
	for _, g := range groups() {
		c := cell{group: g, setting: setting{epochs: 1, iid: 1, shards: 1}, lr: 0.1}
		r, err := b.measure(t.Context(), c, func([]report.Round) {})
		if err != nil || r.Rounds != 2 || r.Samples != 2*4*10 || r.Best <= 0 || r.Seconds <= 0 || r.Kernel == "" || len(r.Digest) != 64 {
			t.Errorf("%s: got %+v and error %v", c.name(), r, err)
		}
	}
	c := cell{group: groups()[0], setting: setting{epochs: 1, iid: 2}, lr: 1e30}
	if r, err := b.measure(t.Context(), c, func([]report.Round) {}); err != nil || !r.Diverged {
		t.Errorf("a rate of 1e30: got %+v and error %v, want it to diverge", r, err)
	}
}
