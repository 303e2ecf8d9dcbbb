package report

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/fault"
)

func TestMetricsSurviveACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), MetricsFile)
	rounds := learning(4)
	appendRounds(t, path, rounds[:2])
	cut, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cut.WriteString(`{"round":3,"accur`); err != nil { // the process died here
		t.Fatal(err)
	}
	if err := cut.Close(); err != nil {
		t.Fatal(err)
	}
	wantRounds(t, path, rounds[:2])

	again := rounds[1] // a resumed run does round 2 again
	again.Seconds = 99
	appendRounds(t, path, []Round{again, rounds[2], rounds[3]})
	wantRounds(t, path, []Round{rounds[0], again, rounds[2], rounds[3]})
}

// A round that is appended again replaces its line when that is the last, and no
// other's; what a crash cut short goes, wherever it was cut.
func TestMetricsOfTheSameRound(t *testing.T) {
	rounds := learning(3)
	again := rounds[2]
	again.Seconds = 99
	path := filepath.Join(t.TempDir(), MetricsFile)
	appendRounds(t, path, rounds)
	appendRounds(t, path, []Round{again})
	wantRounds(t, path, []Round{rounds[0], rounds[1], again})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(whole, []byte("\n")); lines != 3 {
		t.Errorf("got %d lines, want 3:\n%s", lines, whole)
	}
	for cut := range whole {
		if err := os.WriteFile(path, whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		want := slices.Clone(rounds[:bytes.Count(whole[:cut], []byte("\n"))])
		next := Round{Round: 7}
		appendRounds(t, path, []Round{next})
		wantRounds(t, path, append(want, next))
	}
}

// However long a file is, its last line is found by a look at its end: also where the
// line is longer than the look.
func TestOpenMetricsReadsTheEnd(t *testing.T) {
	const size = 64 << 20
	path := filepath.Join(t.TempDir(), MetricsFile)
	last := `{"round":7,"model_digest":"` + strings.Repeat("a", 3*tailBytes) + "\"}\n"
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("\n"+last), size) // before it nothing, which takes no room
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	appendRounds(t, path, []Round{{Round: 7}})
	runtime.ReadMemStats(&after)
	if read := after.TotalAlloc - before.TotalAlloc; read > size/64 {
		t.Errorf("an append to a file of %d bytes took %d bytes of memory", size, read)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() >= size+int64(len(last)) {
		t.Errorf("the file has %d bytes: the last line was not replaced", info.Size())
	}
}

func TestReadMetricsErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), MetricsFile)
	if _, err := ReadMetrics(path); !errors.Is(err, fault.Input) {
		t.Errorf("no file: got %v, want class Input", err)
	}
	if err := os.WriteFile(path, []byte("{\"round\":1}\nnonsense\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadMetrics(path); !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a broken line: got %v, want class Input and the line", err)
	}
}

func FuzzReadMetrics(f *testing.F) {
	f.Add([]byte("{\"round\":1,\"accuracy\":0.5}\n{\"round\":2}\n"))
	f.Add([]byte("{\"round\":1}\n{\"rou"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := readMetrics(bytes.NewReader(data)); err != nil && !errors.Is(err, fault.Input) {
			t.Fatalf("%v is not of class Input", err)
		}
	})
}

func appendRounds(t *testing.T, path string, rounds []Round) {
	t.Helper()
	m, err := OpenMetrics(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rounds {
		if err := m.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

func wantRounds(t *testing.T, path string, want []Round) {
	t.Helper()
	got, err := ReadMetrics(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rounds differ (-want +got):\n%s", diff)
	}
}
