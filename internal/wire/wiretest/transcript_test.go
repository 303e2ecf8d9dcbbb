package wiretest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	_ "github.com/accord-fl/accord/proto/accord/v1" // whose messages the transcripts hold
)

const example = "testdata/protocol-1.txt"

func TestTranscriptsSurviveARoundTrip(t *testing.T) {
	want, err := Load(example)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy.txt")
	if err := want.Save(copied, "A copy."); err != nil {
		t.Fatal(err)
	}
	got, err := Load(copied)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("saved and loaded (-want +got):\n%s", diff)
	}
}

func TestDamagedTranscriptsAreNoticed(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"another meaning":      {`"protocol":1`, `"protocol":2`},
		"other bytes":          {"12020801", "12020802"},
		"bytes that are none":  {"12020801", "1202080x"},
		"a method of nobody's": {"Upload 1 >", "Unload 1 >"},
		"a line of nothing":    {"Upload 1 >", "Upload >"},
	} {
		file := filepath.Join(t.TempDir(), "damaged.txt")
		damaged := strings.Replace(string(text), change[0], change[1], 1)
		if damaged == string(text) {
			t.Fatalf("%s: nothing to damage", name)
		}
		if err := os.WriteFile(file, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(file); err == nil {
			t.Errorf("%s: was loaded", name)
		}
	}
}

func TestWithin(t *testing.T) {
	want := map[string]any{"a": 1.0, "b": map[string]any{"c": "x"}, "l": []any{"y", "z"}}
	more := map[string]any{"a": 1.0, "b": map[string]any{"c": "x", "new": 2.0}, "newer": nil, "l": []any{"new", "y", "newer", "z"}}
	if err := within(more, want, ""); err != nil {
		t.Errorf("more than what is wanted was refused: %v", err)
	}
	for name, less := range map[string]any{
		"missing":         map[string]any{"a": 1.0, "l": []any{"y", "z"}},
		"another":         map[string]any{"a": 2.0, "b": map[string]any{"c": "x"}, "l": []any{"y", "z"}},
		"another kind":    map[string]any{"a": 1.0, "b": "c", "l": []any{"y", "z"}},
		"a shorter list":  map[string]any{"a": 1.0, "b": map[string]any{"c": "x"}, "l": []any{"z"}},
		"a list reversed": map[string]any{"a": 1.0, "b": map[string]any{"c": "x"}, "l": []any{"z", "y"}},
		"nothing":         nil,
	} {
		if within(less, want, "") == nil {
			t.Errorf("%s: was taken for the same", name)
		}
	}
}
