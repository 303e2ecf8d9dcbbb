package page

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const wantPage = head + `| what | bar | measured | holds |
|---|---|---|---|
| memory | < 1 GiB | 109 MiB | yes |
| seconds | < 1 s | 2 s | **no** |
` + speedHead + `| what | bar | ours | best peer | ratio | kernels | holds |
|---|---|---|---|---|---|---|
| steps | ≥ 4× (stretch 6×) | 90 samples/s | PyTorch 1.0: 10 samples/s | 9.0× | avx2 | yes, stretch too |
| fold | ≥ 60 % | 70 % | – | – | avx2 | yes |

Where, when and how:

- sites: a machine, 2026-01-02

      accord simulate

- step2: another, 2026-01-03

      accord bench train
      torch_step.py

- fold: a machine, 2026-01-02

      accord bench aggregate

`

func TestPage(t *testing.T) {
	r := Results{Measured: map[string]measured{
		"fold": {Machine: "a machine", Date: "2026-01-02", Rows: []Row{
			{What: "fold", Bar: "≥ 60 %", Figure: "70 %", Holds: true, Kernel: "avx2", Command: "accord bench aggregate"},
		}},
		"step2": {Machine: "another", Date: "2026-01-03", Rows: []Row{
			{What: "steps", Bar: "≥ 4× (stretch 6×)", Figure: "90 samples/s", Holds: true, Stretch: true, Kernel: "avx2",
				Peer: "PyTorch 1.0: 10 samples/s", Ratio: "9.0×", Command: "accord bench train\ntorch_step.py"},
		}},
		"sites": {Machine: "a machine", Date: "2026-01-02", Rows: []Row{
			{What: "memory", Bar: "< 1 GiB", Figure: "109 MiB", Holds: true, Command: "accord simulate"},
			{What: "seconds", Bar: "< 1 s", Figure: "2 s", Command: "accord simulate"},
		}},
	}}
	if diff := cmp.Diff(wantPage, r.page()); diff != "" {
		t.Errorf("page differs (-want +got):\n%s", diff)
	}
}

// A program replaces its own measurements and keeps those of others.
func TestReportKeepsTheRest(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ name, figure string }{{"sites", "1 MiB"}, {"fold", "60 %"}, {"sites", "2 MiB"}} {
		results, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		row := Row{What: "w", Bar: "b", Figure: c.figure, Holds: true}
		if err := results.Report(&out, c.name, []Row{row}, dir); err != nil {
			t.Fatal(err)
		}
		if got := strings.Fields(out.String())[0]; got != c.name {
			t.Errorf("the line begins with %q, want %q", got, c.name)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	for figure, want := range map[string]int{"1 MiB": 0, "2 MiB": 1, "60 %": 1} {
		if got := strings.Count(string(text), "| w | b | "+figure+" | yes |"); got != want {
			t.Errorf("%s: got %d rows, want %d in\n%s", figure, got, want, text)
		}
	}
}

func TestLoadRefusesWhatItDoesNotUnderstand(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, file), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got error %v, want one that names %s", err, file)
	}
}

func TestLineForPeopleWhoWatch(t *testing.T) {
	for want, row := range map[string]Row{
		"memory: 109 MiB (bar: < 1 GiB)": {What: "memory", Bar: "< 1 GiB", Figure: "109 MiB"},
		"steps: 90, 9.0× as fast as PyTorch 1.0: 10, kernels avx2 (bar: ≥ 4×)": {
			What: "steps", Bar: "≥ 4×", Figure: "90", Kernel: "avx2", Peer: "PyTorch 1.0: 10", Ratio: "9.0×"},
	} {
		if got := row.line(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
