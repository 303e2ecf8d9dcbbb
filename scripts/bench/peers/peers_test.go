package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{2, 1}, 1}, {[]float64{9, 1, 5}, 5}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v): got %g, want %g", c.values, got, c.want)
		}
	}
}

func TestRows(t *testing.T) {
	for _, c := range []struct{ got, want page.Row }{
		{ratio("steps", bar{4, 6}, []float64{5, 3, 4.5}, "100 (avx2)", "accord"),
			page.Row{What: "steps", Bar: "≥ 4× (stretch 6×)", Figure: "100 (avx2): 4.5× (3.0 to 5.0)", Holds: true, Command: "accord"}},
		{ratio("steps", bar{want: 4}, []float64{3.9}, "100", "accord"),
			page.Row{What: "steps", Bar: "≥ 4×", Figure: "100: 3.9×", Holds: false, Command: "accord"}},
		{share("fold", bar{.6, .9}, []float64{.7, .5, .6}, "accord"),
			page.Row{What: "fold", Bar: "≥ 60 % (stretch 90 %)", Figure: "60 %", Holds: true, Command: "accord"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("row differs (-want +got):\n%s", diff)
		}
	}
}

func TestRoundSeconds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	for _, c := range []struct {
		text, err string
		want      float64
	}{
		{`{"round":1,"seconds":5}` + "\n" + `{"round":2,"seconds":6}` + "\n" + `{"round":3,"seconds":6.5}` + "\n" + `{"round":4,"seconds":8.5}` + "\n", "", 1},
		{`{"round":1,"seconds":5}` + "\n", "EOF after 1 rounds", 0},
		{`{"round":1,"seconds":5}` + "\n{", "unexpected EOF after 1 rounds", 0},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := roundSeconds(path)
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q: got error %v, want %q", c.text, err, c.err)
		}
		if got != c.want {
			t.Errorf("%q: got %g s, want %g", c.text, got, c.want)
		}
	}
}

func TestLastLine(t *testing.T) {
	for text, want := range map[string]string{"": "", "a": "a", "a\nb\n": "b", "warning\n\n{}\n\n": "{}"} {
		if got := lastLine(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
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

// The page has a place for every measurement, and keeps what others measured.
func TestPage(t *testing.T) {
	dir := t.TempDir()
	row := page.Row{What: "w", Bar: "b", Figure: "f", Holds: true, Command: "c"}
	for _, name := range names() {
		results, err := page.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := results.Report(&out, name, []page.Row{row}, dir); err != nil {
			t.Fatal(err)
		}
		if got := strings.Fields(out.String())[0]; got != name {
			t.Errorf("the line begins with %q, want %q", got, name)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(text), "| w | b | f | yes |"); got != len(names()) {
		t.Errorf("the page has %d rows, want %d", got, len(names()))
	}
}

func TestOddNetwork(t *testing.T) {
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
