package yamltree

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
)

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"too long", strings.Repeat("# x\n", MaxBytes/4) + "x", "above the limit"},
		{"open brackets", "a:\n  " + strings.Repeat("[", 33), "line 2: more than 32 brackets are open"},
		{"open braces", strings.Repeat("{a: ", 33), "line 1: more than 32 brackets are open"},
		{"lists in lists", "a:\n" + strings.Repeat("- ", 33) + "1", "line 2: more than 32 lists"},
		{"keys that are keys", strings.Repeat("? ", 33), "line 1: more than 32 lists"},
		{"lists after a lone return", "a:\r" + strings.Repeat("- ", 33), "more than 32 lists"},
		{"not YAML", "a: [1\n", "line 1: "},
		{"an anchor", "a: 1\nb: &b 2\n", "line 2: &b: anchors and aliases are not supported; write the value itself"},
		{"an anchor in a second document", "a: 1\n---\nb: [1, &b 2]\n", "line 3: &b: anchors and aliases"},
		{"an anchor with a long name", "a: &" + strings.Repeat("b", 1000) + " 1\n", "bb: anchors and aliases"},
		{"an alias in a list", "a:\n- 1\n- *b\n", "line 3: "},
		{"a merge key", "a:\n  <<: {b: 1}\n", "line 2: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.text))
			if !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 200 {
				t.Errorf("got error %v, want bad input with %q", err, tt.want)
			}
		})
	}
}

func TestParseTakes(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"nothing", ""},
		{"a list", "- 1\n- 2\n"},
		{"closed brackets", strings.Repeat("- [[1], [2]]\n", 100)},
		{"a line of dashes in a comment", "# " + strings.Repeat("- ", 100) + "\na: 1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Parse([]byte(tt.text)); err != nil {
				t.Error(err)
			}
		})
	}
}

// FuzzParse: what is not a tree is bad input, and never worse.
func FuzzParse(f *testing.F) {
	f.Add([]byte("a: &a [*a]\n<<: *a\n"))
	f.Add([]byte("- - - 1\n? b\n: |\n  text\n--- !!binary x\n"))
	f.Add([]byte("{a: [1, 'b', \"\\u263a\"], ? c : d}"))
	if paths, err := filepath.Glob("../../configs/*.yaml"); err == nil {
		for _, path := range paths {
			if data, err := os.ReadFile(path); err == nil {
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := Parse(data); err != nil && !errors.Is(err, fault.Input) {
			t.Fatalf("%v is not of class fault.Input", err)
		}
	})
}
