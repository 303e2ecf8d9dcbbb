package main

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/report"
)

var update = flag.Bool("update", false, "write testdata again")

func TestCountsTheFirstRoundThatReachesTheTarget(t *testing.T) {
	five := 5
	for name, c := range map[string]struct {
		lines string
		want  result
	}{
		"reached, then lost": {
			`{"round":1,"accuracy":0.5,"train_seconds":1,"samples":10}
{"round":5,"accuracy":0.99,"train_seconds":2,"samples":10}
{"round":6,"accuracy":0.97,"train_seconds":3,"samples":10}
{"round":7,"accuracy":0.992,"train_seconds":4,"samples":10}
`, result{Rounds: 7, ToTarget: &five, Best: 0.992, Seconds: 10, Samples: 40},
		},
		"almost": {
			`{"round":1,"accuracy":0.9899,"samples":10}
{"round":2,"accuracy":0.95,"samples":10}
`, result{Rounds: 2, Best: 0.9899, Samples: 20},
		},
		"a round again after an interruption, and a line cut short": {
			`{"round":5,"accuracy":0.5,"train_seconds":1,"samples":10}
{"round":5,"accuracy":0.99,"train_seconds":0,"samples":10}
{"round":6,"accur`, result{Rounds: 5, ToTarget: &five, Best: 0.99, Samples: 10},
		},
		"a round that was resumed after its trainings": {
			`{"round":1,"accuracy":0.5,"train_seconds":2,"samples":10}
{"round":2,"accuracy":0.6,"train_seconds":0,"samples":0}
{"round":3,"accuracy":0.7,"train_seconds":4,"samples":10}
`, result{Rounds: 3, Best: 0.7, Seconds: 9, Samples: 30},
		},
		"nothing": {"", result{}},
	} {
		path := filepath.Join(t.TempDir(), report.MetricsFile)
		if err := os.WriteFile(path, []byte(c.lines), 0o644); err != nil {
			t.Fatal(err)
		}
		rounds, err := report.ReadMetrics(path)
		if err != nil {
			t.Fatal(err)
		}
		var got result
		got.count(rounds)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: differs (-want +got):\n%s", name, diff)
		}
	}
}

// reached and missed are ends of runs.
func reached(rounds int) result { return result{Rounds: rounds, ToTarget: &rounds, Best: 0.9901} }
func missed(best float64) result {
	return result{Rounds: 40, Best: best}
}

func TestCollapse(t *testing.T) {
	run := func(accuracies ...float64) (rounds []report.Round) {
		for i, a := range accuracies {
			rounds = append(rounds, report.Round{Round: i + 1, Accuracy: &a})
		}
		return rounds
	}
	guesses := slices.Repeat([]float64{0.11}, collapseRounds)
	for name, c := range map[string]struct {
		rounds []report.Round
		last   int // 0: none
	}{
		"nothing":                 {nil, 0},
		"never good":              {run(append([]float64{0.4}, guesses...)...), 0},
		"good and lost":           {run(append([]float64{0.1, 0.9}, guesses...)...), 2},
		"not long enough":         {run(append([]float64{0.1, 0.9}, guesses[1:]...)...), 0},
		"it came back":            {run(append(append([]float64{0.9}, guesses...), 0.8)...), 0},
		"a round without measure": {append(run(append([]float64{0.9}, guesses...)...), report.Round{Round: 102}), 1},
	} {
		var r result
		if r.count(c.rounds); r.Collapsed != c.last {
			t.Errorf("%s: collapsed after %d, want %d", name, r.Collapsed, c.last)
		}
	}
}

func TestBestLearningRate(t *testing.T) {
	g := group{iid, constant, []float64{0.05, 0.1, 0.2}}
	diverged := result{Rounds: 1, Best: 0.4, Diverged: true}
	for name, c := range map[string]struct {
		ends []result
		want float64
	}{
		"fewest rounds":                {[]result{reached(30), reached(20), reached(25)}, 0.1},
		"reaching beats a higher best": {[]result{missed(0.9899), reached(40), missed(0.98)}, 0.1},
		"closest where none reaches":   {[]result{missed(0.98), missed(0.97), missed(0.985)}, 0.2},
		"lowest of equals":             {[]result{reached(20), reached(20), reached(20)}, 0.05},
		"diverged":                     {[]result{diverged, missed(0.9), diverged}, 0.1},
		"not all have been tried":      {[]result{reached(20), reached(30)}, 0},
	} {
		r := &results{Cells: map[string]result{}}
		for i, end := range c.ends {
			r.Cells[g.candidates()[i].name()] = end
		}
		got, ok := r.best(g)
		if got != c.want || ok != (c.want > 0) {
			t.Errorf("%s: got %v, %v, want %v", name, got, ok, c.want)
		}
		later, ok := r.settled(cell{group: g, setting: setting{epochs: 1, batch: 50}})
		if later.lr != c.want || ok != (c.want > 0) {
			t.Errorf("%s: another cell: got rate %v, %v, want %v", name, later.lr, ok, c.want)
		}
	}
}

func TestRateOfWholeShards(t *testing.T) {
	for best, want := range map[float64]float64{0.02: 0.06, 0.05: 0.15, 0.1: 0.3, 0.2: 0.3, 0.4: 0.3} {
		if got := (setting{epochs: 5}).rate(best); got != want {
			t.Errorf("best %v: got %v, want %v", best, got, want)
		}
	}
}

// The page after the first rates, and some of the cells that follow from them.
func TestPage(t *testing.T) {
	r := &results{Cells: map[string]result{
		"iid constant E=5 B=10 lr=0.05":     missed(0.9871),
		"iid constant E=5 B=10 lr=0.1":      reached(38),
		"iid constant E=5 B=10 lr=0.2":      reached(39),
		"iid constant E=1 B=10 lr=0.1":      reached(61),
		"iid constant E=1 B=all lr=0.3":     {Rounds: 1252, Best: 0.98765},
		"iid constant E=5 B=all lr=0.3":     {Rounds: 257, Best: 0.96, Collapsed: 157},
		"iid constant E=1 B=50 lr=0.05":     reached(1), // of a rate that is not the best: not told
		"iid inverse_sqrt E=5 B=10 lr=0.1":  missed(0.98),
		"iid inverse_sqrt E=5 B=10 lr=0.2":  missed(0.981),
		"iid inverse_sqrt E=5 B=10 lr=0.3":  {Rounds: 2, Best: 0.3, Diverged: true},
		"shards:2 constant E=5 B=10 lr=0.1": reached(300),
	}}
	golden := filepath.Join("testdata", "page.md")
	if *update {
		if err := os.WriteFile(golden, []byte(r.page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), r.page()); diff != "" {
		t.Errorf("page differs (-want +got):\n%s", diff)
	}
}

func TestResultsSurviveARoundTrip(t *testing.T) {
	dir := t.TempDir()
	r, err := load(filepath.Join(dir, resultsFile))
	if err != nil || len(r.Cells) != 0 {
		t.Fatalf("nothing there: got %+v, error %v", r, err)
	}
	r.Cells["a"], r.Cells["b"] = reached(7), result{Rounds: 3, Diverged: true, LR: 0.3, Kernel: "avx2", Command: "accord"}
	if err := r.save(dir); err != nil {
		t.Fatal(err)
	}
	again, err := load(filepath.Join(dir, resultsFile))
	if diff := cmp.Diff(r, again); err != nil || diff != "" {
		t.Errorf("error %v, differs (-saved +loaded):\n%s", err, diff)
	}
}
