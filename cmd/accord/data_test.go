package main

import (
	"path/filepath"
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
