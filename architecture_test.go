package accord_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/accord-fl/accord/"

// rules say which of the module's packages a package may import, by the
// prefix of their paths. Imports point downward only; ARCHITECTURE.md draws
// them.
var rules = []struct {
	from string
	may  []string
}{
	{"internal/kernel", nil},
	{"internal/rng", nil},
	{"internal/fault", nil},
	{"internal/testdata", nil},
	{"internal/atomicfile", []string{"internal/disk"}},
	{"internal/disk", []string{"internal/disk"}},
	{"internal/checkpoint", nil},
	{"internal/yamltree", []string{"internal/fault", "internal/quote"}},
	{"internal/quote", []string{"internal/fault"}},
	{"internal/version", nil},
	{"internal/heap", nil},
	{"internal/term", []string{"internal/quote"}},
	{"internal/pki", []string{"internal/atomicfile", "internal/disk", "internal/fault", "internal/quote", "exchange"}},
	{"internal/hours", []string{"internal/fault"}},
	{"internal/spool", []string{"internal/atomicfile", "internal/disk", "internal/fault"}},
	{"internal/program", []string{"internal/fault", "internal/quote"}},
	{"internal/wire", []string{"internal/", "exchange", "model", "proto/"}},
	// Gossip is on the wire, too, and on both sides of it.
	{"internal/gossip", []string{"internal/", "exchange", "proto/"}},
	{"internal/report", []string{"internal/", "model"}},
	{"internal/config", []string{"internal/", "exchange", "model"}},
	{"model", []string{"internal/kernel", "internal/rng", "internal/fault", "internal/quote", "internal/atomicfile", "internal/yamltree", "model"}},
	{"dataset", []string{"internal/kernel", "internal/rng", "internal/fault", "internal/quote", "internal/atomicfile", "model/safetensors", "dataset"}},
	{"exchange", []string{"internal/rng", "internal/fault", "internal/quote", "internal/spool", "model"}},
	{"aggregation", []string{"internal/kernel", "internal/fault"}},
	{"proto", nil},
	// The state machine imports the standard library only.
	{"coordinator/round", []string{}},
	{"coordinator/journal", []string{"internal/atomicfile", "internal/checkpoint", "internal/disk", "internal/fault"}},
	{"coordinator/registry", []string{"coordinator/journal", "exchange", "internal/"}},
	{"coordinator/membership", []string{"coordinator", "internal/"}},
	{"coordinator/rpc", []string{"coordinator", "exchange", "internal/", "model", "proto/"}},
	{"coordinator", []string{"coordinator/round", "coordinator/journal", "aggregation", "exchange", "internal/", "model"}},
	// A site runs without the coordinator's code.
	{"participant", []string{"participant", "exchange", "internal/", "model", "proto/"}},
	{"simulation", []string{"coordinator", "participant", "aggregation", "exchange", "internal/", "model"}},
	{"cmd", []string{""}},
	// A site of a measurement is a participant that trains nothing, or, one of a
	// crowd, less than a participant.
	{"scripts/bench/internal/federation", []string{"participant", "exchange", "model", "internal/", "scripts/bench/internal"}},
	{"scripts/bench/internal/crowd", []string{"participant", "exchange", "internal/", "proto/"}},
	{"scripts", []string{"internal/", "model", "scripts/bench/internal"}},
}

func TestImportsPointDownward(t *testing.T) {
	for path, imports := range goList(t) {
		rule := slices.IndexFunc(rules, func(r struct {
			from string
			may  []string
		}) bool {
			return within(path, r.from)
		})
		if rule < 0 {
			t.Errorf("package %s: no rule says what it may import; add one, and a line to ARCHITECTURE.md", path)
			continue
		}
		for _, imported := range imports {
			inner, ours := strings.CutPrefix(imported, module)
			if path == "coordinator/round" && strings.Contains(imported, ".") {
				t.Errorf("%s imports %s: only the standard library is allowed", path, imported)
			}
			if ours && !slices.ContainsFunc(rules[rule].may, func(prefix string) bool { return within(inner, prefix) }) {
				t.Errorf("%s must not import %s", path, inner)
			}
		}
	}
}

// Generated types stop at the adapters.
func TestGeneratedTypesStayAtTheEdge(t *testing.T) {
	adapters := []string{"coordinator/rpc", "participant", "internal/wire", "internal/gossip", "scripts/bench/internal/crowd"}
	for path, imports := range goList(t) {
		if slices.Contains(imports, module+"proto/accord/v1") && !slices.Contains(adapters, path) {
			t.Errorf("%s imports the generated wire types; only %v do", path, adapters)
		}
	}
}

// Tables and displays are package term's, which quotes what is in them.
func TestTablesAreQuoted(t *testing.T) {
	for path, imports := range goList(t) {
		for _, imported := range imports {
			if strings.HasPrefix(imported, "charm.land/") && path != "internal/term" {
				t.Errorf("%s imports %s: print with internal/term, which quotes other parties' texts", path, imported)
			}
		}
	}
}

func within(path, prefix string) bool {
	return prefix == "" || path == prefix || strings.HasPrefix(path, strings.TrimSuffix(prefix, "/")+"/")
}

// goList returns the module's packages, by their path in it, and what their
// code, without tests, imports.
func goList(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := map[string][]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		if path, ok := strings.CutPrefix(p.ImportPath, module); ok {
			packages[path] = p.Imports
		}
	}
}
