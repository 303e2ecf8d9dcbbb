package version

import "testing"

func TestString(t *testing.T) {
	for want, info := range map[string]Info{
		"v0.1.0":                         {Version: "v0.1.0"},
		"v0.1.0 (0123456789)":            {Version: "v0.1.0", Commit: "0123456789abcdef"},
		"(devel) (0123456789, modified)": {Version: "(devel)", Commit: "0123456789abcdef", Modified: true},
	} {
		if got := info.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := Get(); got.Go == "" || got.Version == "" {
		t.Errorf("got %+v, want at least a version and a Go version", got)
	}
}
