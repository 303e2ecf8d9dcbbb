package kernel

import (
	"strings"
	"testing"
)

func TestChooseFamily(t *testing.T) {
	all := []*family{{name: "fast"}, {name: "portable"}}
	for _, c := range []struct{ name, want, err string }{
		{"", "fast", ""},
		{"portable", "portable", ""},
		{"fast", "fast", ""},
		{"sse", "fast", "ACCORD_KERNEL=sse: this machine has fast, portable"},
	} {
		f, err := choose(c.name, all)
		if f.name != c.want {
			t.Errorf("%q: got %s, want %s", c.name, f.name, c.want)
		}
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q: got error %v, want %q", c.name, err, c.err)
		}
	}
}
