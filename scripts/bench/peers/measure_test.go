package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/kernel"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

func TestStepTakesTurns(t *testing.T) {
	s := &stage{
		ours: map[string][]string{"bench train": {
			trained("avx2", 100, 70, .8, .8, 0), trained("avx2", 120, 80, .8, .8, 0), trained("avx2", 90, 60, .8, .8, 0),
		}},
		theirs: map[string][]string{
			"torch_step.py":         {`{"version":"2.0","samples_per_second":10}`},
			"torch_step.py --tuned": {`{"version":"2.0","samples_per_second":20}`},
			"keras_fit.py":          {`{"version":"3.0 / TensorFlow 2.1","samples_per_second":15}`},
		},
	}
	b := newBench(t, s, 2)
	rows, err := b.step(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	once := []string{"bench train", "torch torch_step.py", "bench train", "torch torch_step.py --tuned", "bench train", "tf keras_fit.py"}
	if diff := cmp.Diff(append(slices.Clone(once), once...), s.turns); diff != "" {
		t.Errorf("turns (-want +got):\n%s", diff)
	}
	command := `go run ./scripts/bench/peers -only step2
accord bench train --dataset mnist --data DIR --batch 32 --threads 2 --json
python torch_step.py --data DIR --batch 32 --threads 2
python torch_step.py --data DIR --batch 32 --threads 2 --tuned
python keras_fit.py --data DIR --batch 32 --threads 2 --epochs 3`
	want := []page.Row{{
		What: "training steps, MNIST, batch 32, 2 threads", Bar: "≥ 4× (stretch 6×)", Kernel: "avx2", Command: command,
		// Tuned PyTorch's turns were beside 120 and 90, Keras' beside 90 and 90.
		Figure: "105 samples/s", Ratio: "5.2× (4.5 to 6.0)", Holds: true,
		Peer: "PyTorch 2.0, tuned: 20 samples/s; Keras 3.0 / TensorFlow 2.1, later epochs: 15 samples/s; PyTorch 2.0: 10 samples/s",
	}, {
		What: "the same, dense: no pass skips zeros", Bar: "≥ 3.5×", Kernel: "avx2", Command: command,
		Figure: "70 samples/s", Ratio: "3.5× (3.0 to 4.0)", Holds: true,
		Peer: "PyTorch 2.0, tuned: 20 samples/s; Keras 3.0 / TensorFlow 2.1, later epochs: 15 samples/s; PyTorch 2.0: 10 samples/s",
	}}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
}

func TestStepOnOneThread(t *testing.T) {
	const slow = `{"version":"2.0","samples_per_second":10}`
	s := &stage{
		ours:   map[string][]string{"bench train": {trained("avx2", 24, 20, .8, .8, 0)}},
		theirs: map[string][]string{"torch_step.py": {slow}, "torch_step.py --tuned": {slow}, "keras_fit.py": {slow}},
	}
	rows, err := newBench(t, s, 1).step(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 || rows[0].Bar != "≥ 2.5× (stretch 3.3×)" || rows[0].Ratio != "2.4×" || rows[0].Holds {
		t.Errorf("got %+v, want one row that misses 2.5× with 2.4×", rows)
	}
	if !strings.HasPrefix(rows[0].Command, "go run ./scripts/bench/peers -only step1 -short\n") {
		t.Errorf("the command does not tell that it was short: %s", rows[0].Command)
	}
}

// A figure of nothing must not become a ratio.
func TestNothingMeasuredIsAnError(t *testing.T) {
	good, zero := trained("avx2", 24, 20, .8, .8, 0), `{"version":"2.0","samples_per_second":0}`
	for name, c := range map[string]struct{ ours, theirs, want string }{
		"theirs": {good, zero, "torch_step.py measured 0"},
		"ours":   {trained("avx2", 0, 20, .8, .8, 0), zero, "accord bench train measured 0"},
		"keys":   {`{}`, zero, "accord bench train measured 0"},
	} {
		s := &stage{ours: map[string][]string{"bench train": {c.ours}}, theirs: map[string][]string{"torch_step.py": {c.theirs}}}
		if _, err := newBench(t, s, 1).step(t.Context(), 2); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", name, err, c.want)
		}
	}
}

func TestTraining(t *testing.T) {
	s := &stage{
		ours:    map[string][]string{"train": {`{"peak_rss_bytes":100000000,"kernel":"avx512"}`}},
		theirs:  map[string][]string{"keras_fit.py": {`{"version":"3.0","peak_rss_bytes":900000000}`}},
		seconds: map[string]time.Duration{"train": 5 * time.Second, "keras_fit.py": 46 * time.Second},
	}
	rows, err := newBench(t, s, 3).training(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := page.Row{Figure: "5.0 s, 100 MB", Peer: "Keras 3.0: 46.0 s, 900 MB", Ratio: "9.2× (9.2 to 9.2)", Bar: "≥ 6× (stretch 9×)", Holds: true, Stretch: true, Kernel: "avx512"}
	want.What, want.Command = rows[0].What, rows[0].Command
	if diff := cmp.Diff([]page.Row{want}, rows); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
	if got := strings.Join(s.turns, ", "); got != "train, tf keras_fit.py, train, tf keras_fit.py, train, tf keras_fit.py" {
		t.Errorf("turns: %s", got)
	}
}

func TestRound(t *testing.T) {
	// Rounds of 1, 2 and 1 s after the first one; of 8, 10 and 12 s.
	const metrics = `{"round":1,"seconds":5}` + "\n" + `{"round":2,"seconds":6}` + "\n" + `{"round":3,"seconds":8}` + "\n" + `{"round":4,"seconds":9}` + "\n"
	const flower = `{"version":"1.0","rounds":[{"seconds":80},{"seconds":12},{"seconds":8},{"seconds":10}]}`
	for name, c := range map[string]struct{ metrics, flower, ratio, want string }{
		"good":         {metrics, flower, "10.0×", ""},
		"one of ours":  {`{"round":1,"seconds":5}` + "\n", flower, "", "at least two rounds in metrics.jsonl, got 1"},
		"one of them":  {metrics, `{"version":"1.0","rounds":[{"seconds":80}]}`, "", "flower_rounds.py: want at least two rounds, got 1"},
		"not metrics":  {"{\n", flower, "", "metrics.jsonl"},
		"of no length": {metrics, `{"version":"1.0","rounds":[{"seconds":80},{"seconds":0}]}`, "", "flower_rounds.py measured 0"},
	} {
		s := &stage{ours: map[string][]string{"simulate": {`{"kernel":"avx2"}`}, "metrics": {c.metrics}}, theirs: map[string][]string{"flower_rounds.py": {c.flower}}}
		rows, err := newBench(t, s, 1).round(t.Context())
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got error %v, want %q", name, err, c.want)
			}
			continue
		}
		if err != nil || rows[0].Ratio != c.ratio || rows[0].Figure != "1.00 s" || rows[0].Peer != "Flower 1.0: 10.00 s" || !rows[0].Holds {
			t.Errorf("%s: got %+v, %v", name, rows, err)
		}
	}
}

func TestEngine(t *testing.T) {
	s := &stage{ours: map[string][]string{"bench train": {trained("f", 1000, 800, .85, .7, 0), trained("f", 1000, 800, .95, .8, 0), trained("f", 900, 800, .5, .8, .1)}}}
	rows, err := newBench(t, s, 1).engine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range rows {
		holds := map[bool]string{true: "holds", false: "misses"}[r.Holds]
		if r.Stretch {
			holds += ", stretch too"
		}
		got[r.What+" "+r.Kernel] = r.Figure + " " + holds
		if !strings.Contains(r.Command, "ACCORD_KERNEL=FAMILY accord bench train") {
			t.Errorf("%s: got command %q", r.What, r.Command)
		}
	}
	fastest := kernel.Family()
	dense := "dense training, batch 32, %: needed products and sums beside the peak of FMA " + fastest
	want := map[string]string{
		strings.Replace(dense, "%", "2 threads", 1): "85.0 % holds",
		strings.Replace(dense, "%", "1 thread", 1):  "95.0 % holds, stretch too",
		// The second family's, the small batch's and portable Go's are the third figures.
		"batch 10 beside batch 32, 1 thread: samples/s " + fastest:                  "90.0 % holds",
		"evaluation of 10,000 images, 2 threads, beside the peak of FMA " + fastest: "70.0 % misses",
		"training steps, batch 32, 2 threads, without assembly portable":            "900 samples/s holds",
		"allocations in a step, the most of all these all":                          "0.1 misses",
	}
	for _, family := range families(fastest)[1:] {
		for _, threads := range []string{"2 threads", "1 thread"} {
			want[strings.Replace(strings.Replace(dense, fastest, family, 1), "%", threads, 1)] = "50.0 % misses"
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
	if s.turns[0] != "ACCORD_KERNEL="+fastest+" bench train" || s.turns[len(s.turns)-1] != "ACCORD_KERNEL=portable bench train" {
		t.Errorf("turns: %v", s.turns)
	}
}

func TestFamilies(t *testing.T) {
	for fastest, want := range map[string]string{"avx512": "avx512 avx2", "avx2": "avx2", "neon": "neon", "portable": "portable"} {
		if got := strings.Join(families(fastest), " "); got != want {
			t.Errorf("%s: got %s, want %s", fastest, got, want)
		}
	}
}

func TestOddNetwork(t *testing.T) {
	s := &stage{ours: map[string][]string{}}
	var want []string
	for _, family := range families(kernel.Family()) {
		for _, shares := range []struct {
			odd, reference float64
			figure         string
		}{{.4, .8, "50.0 % (40 of 80 %) true"}, {.3, .9, "33.3 % (30 of 90 %) false"}} {
			s.ours["bench train"] = append(s.ours["bench train"], trained(family, 10, 9, shares.odd, .5, 0), trained(family, 10, 9, shares.reference, .5, 0))
			want = append(want, family+" "+shares.figure)
		}
	}
	rows, err := newBench(t, s, 1).oddNetwork(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%s %s %v", r.Kernel, r.Figure, r.Holds))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
	if !strings.Contains(rows[0].Command, "--model scripts/bench/peers/odd.yaml --batch 7 --threads 2") {
		t.Errorf("got command %q", rows[0].Command)
	}
	last := families(kernel.Family())[len(families(kernel.Family()))-1]
	if turn := "ACCORD_KERNEL=" + last + " bench train"; s.turns[len(s.turns)-1] != turn {
		t.Errorf("the last turn is %q, want %q", s.turns[len(s.turns)-1], turn)
	}
}

func TestFold(t *testing.T) {
	s := &stage{ours: map[string][]string{"bench aggregate": {
		`{"kernel":"avx2","gb_per_second":30,"share_of_read":0.95}`, `{"kernel":"avx2","gb_per_second":20,"share_of_read":0.5}`,
	}}}
	rows, err := newBench(t, s, 1).fold(t.Context())
	if err != nil || len(rows) != 2 {
		t.Fatalf("got %d rows, %v", len(rows), err)
	}
	if rows[0].Figure != "95.0 %, 30 GB/s" || !rows[0].Stretch || rows[1].Figure != "50.0 %, 20 GB/s" || rows[1].Holds {
		t.Errorf("got %+v", rows)
	}
}

func TestChoose(t *testing.T) {
	all, err := choose("")
	if err != nil || len(all) != len(measurements()) {
		t.Errorf("without names: %d measurements, %v", len(all), err)
	}
	some, err := choose("fold,step2")
	if err != nil || len(some) != 2 || some[0].name != "step2" || some[1].name != "fold" {
		t.Errorf("got %v, %v, want step2 and fold", some, err)
	}
	if _, err := choose("step3"); err == nil || !strings.Contains(err.Error(), `"step3"; there are step2,`) {
		t.Errorf("a measurement that there is not: got %v", err)
	}
}

func TestRunRefuses(t *testing.T) {
	dir := t.TempDir()
	for want, o := range map[string]options{
		`no measurement "fast"`: {only: "fast", mnist: dir, out: dir},
		"accord data fetch":     {only: "fold", mnist: filepath.Join(dir, "none"), out: dir},
	} {
		if err := run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got error %v, want %q", o, err, want)
		}
	}
}

// The page has a place for every measurement.
func TestPage(t *testing.T) {
	dir := t.TempDir()
	results, err := page.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names() {
		row := page.Row{What: name, Bar: "b", Figure: "f", Holds: true, Kernel: "k"}
		if err := results.Report(t.Output(), name, []page.Row{row}, dir); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names() {
		if !strings.Contains(string(text), "| "+name+" | b | f | – | – | k | yes |") {
			t.Errorf("%s has no row in\n%s", name, text)
		}
	}
}

func TestOddYAML(t *testing.T) {
	data, err := os.ReadFile("odd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := model.ParseSpec("odd.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := model.NewNetwork(spec); err != nil {
		t.Error(err)
	}
}
