package main

import (
	"regexp"
	"testing"
)

func TestPlan(t *testing.T) {
	cells := plan()
	// 9 settings and 2 more learning rates, in 4 columns.
	if got, want := len(cells), 4*(9+2); got != want {
		t.Errorf("got %d cells, want %d", got, want)
	}
	tried := map[string]int{}
	seen := map[string]bool{}
	var last int64
	for i, c := range cells {
		if seen[c.name()] {
			t.Errorf("two cells are named %s", c.name())
		}
		seen[c.name()] = true
		column := c.partition + c.schedule
		if c.lr > 0 {
			tried[column]++
		} else if tried[column] != len(c.rates) {
			t.Errorf("cell %d, %s, comes before its column's learning rates have been tried", i+1, c.name())
		}
		if tried[column] == len(c.rates) && c.lr == 0 && c.cost() > last {
			last = c.cost()
		}
	}
	if got := cells[len(cells)-1].cost(); got != last {
		t.Errorf("the last cell costs %d, the most expensive %d", got, last)
	}
	if cells[0].cost() > 2_000_000 {
		t.Errorf("the first cell costs %d samples, want a cheap one", cells[0].cost())
	}
}

// Twice the paper's rounds, and the samples in them: a tenth of MNIST a round,
// E times.
func TestCellsHaveALimit(t *testing.T) {
	limits := map[string]int{}
	costs := map[string]int64{}
	for _, c := range plan() {
		limits[c.name()], costs[c.name()] = c.limit(), c.cost()
	}
	for name, want := range map[string]struct {
		limit int
		cost  int64
	}{
		"iid constant E=5 B=10 lr=0.1":           {40, 1_200_000},
		"iid inverse_sqrt E=20 B=10 lr=best":     {36, 4_320_000},
		"iid constant E=1 B=all lr=best":         {1252, 7_512_000},
		"iid constant E=20 B=all lr=best":        {468, 56_160_000},
		"shards:2 constant E=5 B=10 lr=0.05":     {458, 13_740_000},
		"shards:2 constant E=5 B=all lr=best":    {2000, 60_000_000},
		"shards:2 inverse_sqrt E=1 B=10 lr=best": {700, 4_200_000},
	} {
		if limits[name] != want.limit || costs[name] != want.cost {
			t.Errorf("%s: got %d rounds and %d samples at most, want %+v", name, limits[name], costs[name], want)
		}
	}
}

func TestCellsCanBeChosen(t *testing.T) {
	for _, c := range []struct {
		only       string
		maxSamples int64
		want       int
	}{
		{"", 0, 44},
		{"^iid", 0, 22},
		{"shards.*constant.*E=20", 0, 3},
		{"lr=0", 0, 12},
		{"", 1_000_000, 4}, // E=1, B=10 and 50, IID
		{"E=5", 2_000_000, 8},
	} {
		b := bench{cells: plan(), only: regexp.MustCompile(c.only), maxSamples: c.maxSamples, results: &results{}}
		if got := len(b.open()); got != c.want {
			t.Errorf("-only %q -max-samples %d: got %d cells, want %d", c.only, c.maxSamples, got, c.want)
		}
	}
}
