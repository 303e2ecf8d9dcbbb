package exchange

import (
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
)

func hello() Hello {
	return Hello{
		Name: "athens", Version: "devel", Protocol: Protocol, Oldest: Oldest, Features: Features(),
		Capabilities: Capabilities{Trainer: "builtin", Cores: 4, Memory: 8 << 30, SamplesPerSecond: 1500, Datasets: []string{"digits"}},
	}
}

func TestHelloValidate(t *testing.T) {
	if err := hello().Validate(); err != nil {
		t.Errorf("a good hello was refused: %v", err)
	}
	tests := []struct {
		name  string
		spoil func(*Hello)
		want  string
	}{
		{"a name that is none", func(h *Hello) { h.Name = "a b" }, "participant name"},
		{"an endless version", func(h *Hello) { h.Version = strings.Repeat("x", 257) }, "version"},
		{"a version that redraws the screen", func(h *Hello) { h.Version = "v1\x1b[2J" }, `version "v1\x1b[2J"`},
		{"a version of two lines", func(h *Hello) { h.Version = "v1\nathens  participant" }, "version"},
		{"a version that is reversed", func(h *Hello) { h.Version = "v1\u202e" }, `\u202e`},
		{"a feature nobody sees", func(h *Hello) { h.Features = []string{"load\u200b"} }, "feature"},
		{"a trainer with a control character", func(h *Hello) { h.Capabilities.Trainer = "\u009b31m" }, "trainer"},
		{"a process id with a control character", func(h *Hello) { h.Process = "\x7f" }, "process id"},
		{"too many features", func(h *Hello) { h.Features = slices.Repeat([]string{"x"}, 65) }, "features"},
		{"an endless feature", func(h *Hello) { h.Features = []string{strings.Repeat("x", 65)} }, "features"},
		{"an endless trainer", func(h *Hello) { h.Capabilities.Trainer = strings.Repeat("x", 65) }, "trainer"},
		{"negative cores", func(h *Hello) { h.Capabilities.Cores = -1 }, "cores"},
		{"negative memory", func(h *Hello) { h.Capabilities.Memory = -1 }, "memory"},
		{"a pace that is no number", func(h *Hello) { h.Capabilities.SamplesPerSecond = math.NaN() }, "samples a second"},
		{"an infinite pace", func(h *Hello) { h.Capabilities.SamplesPerSecond = math.Inf(1) }, "samples a second"},
		{"too many data sets", func(h *Hello) { h.Capabilities.Datasets = slices.Repeat([]string{"x"}, MaxDatasets+1) }, "data sets"},
		{"a data set that is a path", func(h *Hello) { h.Capabilities.Datasets = []string{"/data/x"} }, "data set"},
	}
	for _, test := range tests {
		h := hello()
		test.spoil(&h)
		if err := h.Validate(); !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want bad input with %q", test.name, err, test.want)
		}
	}
}

func TestHelloAgrees(t *testing.T) {
	tests := []struct {
		name           string
		oldest, newest int
		want           int
		refusal        string
	}{
		{"the same", Oldest, Protocol, Protocol, ""},
		{"one version only", 0, Protocol, Protocol, ""},
		{"a newer one that still speaks ours", Protocol, Protocol + 3, Protocol, ""},
		{"an older one", Oldest - 1, Oldest - 1, 0, "upgrade the participant, to a version that speaks 1"},
		{"a newer one that has forgotten ours", Protocol + 2, Protocol + 4, 0, "speaks protocol 3 to 5, the coordinator 1: upgrade the coordinator, to a version that speaks 3"},
		{"none", 0, 0, 0, "upgrade the participant"},
		{"from the future to the past", Protocol, Protocol - 1, 0, "upgrade the participant"},
		{"a negative one", -4, Protocol, 0, "claims to speak"},
	}
	for _, test := range tests {
		got, err := Hello{Name: "a", Oldest: test.oldest, Protocol: test.newest}.Agree()
		if test.refusal != "" {
			if !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), test.refusal) {
				t.Errorf("%s: got error %v, want bad input with %q", test.name, err, test.refusal)
			}
			continue
		}
		if err != nil || got != test.want {
			t.Errorf("%s: got protocol %d, error %v, want %d", test.name, got, err, test.want)
		}
	}
}

func FuzzHello(f *testing.F) {
	data, err := json.Marshal(hello())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		var h Hello
		if json.Unmarshal(data, &h) != nil || h.Validate() != nil {
			return
		}
		if !filepath.IsLocal(h.Name) || filepath.Base(h.Name) != h.Name {
			t.Errorf("took %q for a name", h.Name)
		}
		if got, err := h.Agree(); err != nil || got < Oldest || got > Protocol {
			t.Errorf("a valid hello agrees on protocol %d, error %v", got, err)
		}
	})
}
