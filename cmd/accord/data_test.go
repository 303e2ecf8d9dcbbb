package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/config"
)

func TestDataStats(t *testing.T) {
	files := tinyFiles(t, "train", "val", "test")
	var stats dataStats
	decode(t, mustAccord(t, "data", "stats", "--json", "--sites", "4", "--partition", "shards:1", files[2], files[3]), &stats)
	if got, want := stats.Shape, [3]int{4, 4, 1}; got != want || stats.Classes != 2 {
		t.Errorf("got images of %v in %d classes, want %v in 2", got, stats.Classes, want)
	}
	names := map[string]int{}
	for _, s := range stats.Splits {
		names[s.Name] = s.Images
		if len(s.Digest) != 64 {
			t.Errorf("%s: digest %q", s.Name, s.Digest)
		}
	}
	if diff := cmp.Diff(map[string]int{"train": 48, "validation": 64, "test": 80}, names); diff != "" {
		t.Errorf("splits differ (-want +got):\n%s", diff)
	}
	total := 0
	for _, site := range stats.Sites {
		total += site.Images
	}
	if len(stats.Sites) != 4 || total != 48 || stats.Sites[0].Name != "site-01" {
		t.Errorf("sites: got %+v", stats.Sites)
	}
	if text := mustAccord(t, "data", "stats", "--sites", "4", files[2], files[3]); text == "" {
		t.Error("nothing printed")
	}
}

// The files hold what simulate gives to its virtual sites, in the same order.
func TestDataPartitionWritesTheShardsOfSimulate(t *testing.T) {
	out := filepath.Join(t.TempDir(), "deep", "shards")
	mustAccord(t, "data", "partition", "--sites", "3", "--samples-per-site", "20", "--test-samples", "30", "--partition", "dirichlet:0.5", "--seed", "7", "--out", out)

	s := config.Defaults().Simulation
	s.Sites, s.SamplesPerSite, s.TestSamples, s.Partition = 3, 20, 30, "dirichlet:0.5"
	split, err := loadSplit(s)
	if err != nil {
		t.Fatal(err)
	}
	shards, err := divide(split, s, 7)
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range shards {
		read, err := dataset.Load("safetensors:"+shard.name+".safetensors", out)
		if err != nil {
			t.Fatal(err)
		}
		sameImages(t, shard.name, shard.view, read.Train.All())
	}
	read, err := dataset.Load("safetensors:"+testFile, out)
	if err != nil {
		t.Fatal(err)
	}
	sameImages(t, testFile, split.Test.All(), read.Test.All())
}

// What is wrong is told before anything is written.
func TestDataRefuses(t *testing.T) {
	data := tinyFiles(t, "test")[2:] // nothing to train on
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"an argument", []string{"stats", "mnist"}, exitUsage, "--help"},
		{"an unknown flag", []string{"stats", "--dateset", "mnist"}, exitUsage, "--dateset"},
		{"an unknown set", []string{"stats", "--dataset", "cifar"}, exitInput, "cifar"},
		{"no folder", []string{"stats", "--dataset", "mnist", "--data", "nowhere"}, exitInput, "accord data fetch mnist"},
		{"no file", []string{"stats", "--dataset", "npz:none.npz"}, exitInput, "none.npz"},
		{"an unknown partition", []string{"stats", "--partition", "fair"}, exitInput, "fair"},
		{"no sites", []string{"stats", "--sites", "0"}, exitInput, "sites"},
		{"nothing to divide", append([]string{"stats", "--sites", "2"}, data...), exitInput, "no training images"},
		{"no out", []string{"partition", "--sites", "2"}, exitUsage, "out"},
		{"an empty out", []string{"partition", "--sites", "2", "--out", ""}, exitUsage, "--out"},
		{"more sites than samples", append([]string{"partition", "--sites", "49", "--out", "x/y"}, tinyFiles(t, "train")[2:]...), exitInput, "49 sites but only 48 samples"},
		{"more shards than samples", append([]string{"partition", "--partition", "shards:30", "--sites", "2", "--out", "x/y"}, tinyFiles(t, "train")[2:]...), exitInput, "samples"},
		{"nothing to write", append([]string{"partition", "--sites", "2", "--out", "x/y"}, data...), exitInput, "no training images"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			r := accord(t, append([]string{"data"}, c.args...)...)
			if r.code != c.code || !strings.Contains(r.stderr, c.says) || r.stdout != "" {
				t.Errorf("got exit code %d, stdout %q, stderr %q; want %d and %q", r.code, r.stdout, r.stderr, c.code, c.says)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
				t.Errorf("left behind: %v, error %v", entries, err)
			}
		})
	}
}

func TestDataPartitionKeepsWhatIsThere(t *testing.T) {
	t.Chdir(t.TempDir())
	line := append([]string{"data", "partition", "--sites", "2", "--out", "shards/"}, tinyFiles(t, "train", "val")[2:]...)
	if out := mustAccord(t, line...); !strings.Contains(out, "64 validation images") || !strings.Contains(out, filepath.Join("shards", "site-01.safetensors")) {
		t.Errorf("printed:\n%s", out)
	}
	names := func() (names []string) {
		for _, dir := range []string{".", "shards"} {
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				names = append(names, e.Name())
			}
		}
		return names
	}
	want := []string{"shards", "site-01.safetensors", "site-02.safetensors", testFile}
	if diff := cmp.Diff(want, names()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	writeFile(t, filepath.Join("shards", testFile), "mine")
	if r := accord(t, line...); r.code != exitExists || !strings.Contains(r.stderr, "already there") {
		t.Errorf("again: got exit code %d, stderr %q", r.code, r.stderr)
	}
	if diff := cmp.Diff(want, names()); diff != "" {
		t.Errorf("files after a second time (-want +got):\n%s", diff)
	}
}

func sameImages(t *testing.T, name string, want, got *dataset.View) {
	t.Helper()
	if want.Len() != got.Len() || want.Classes() != got.Classes() || want.Shape() != got.Shape() {
		t.Fatalf("%s: got %d images of %v in %d classes, want %d of %v in %d", name, got.Len(), got.Shape(), got.Classes(), want.Len(), want.Shape(), want.Classes())
	}
	gather := func(v *dataset.View) ([]float32, []int32) {
		shape := v.Shape()
		idx := make([]int, v.Len())
		for i := range idx {
			idx[i] = i
		}
		x, y := make([]float32, v.Len()*shape[0]*shape[1]*shape[2]), make([]int32, v.Len())
		v.Gather(x, y, idx)
		return x, y
	}
	wantX, wantY := gather(want)
	gotX, gotY := gather(got)
	if !cmp.Equal(wantX, gotX) || !cmp.Equal(wantY, gotY) {
		t.Errorf("%s: the file holds other images or labels, or in another order", name)
	}
}
