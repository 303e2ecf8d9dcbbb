// Package version tells what this binary was built from. It knows what the Go
// toolchain stamped into it, so no build flags are needed.
package version

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// Info describes a build. Commit and Time are empty where the toolchain did
// not see the repository, as with `go install module@version`.
type Info struct {
	Version  string `json:"version"` // of the module, "(devel)" for a checkout
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"`     // of the commit, RFC 3339
	Modified bool   `json:"modified,omitempty"` // the checkout differed from the commit
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// Get returns the description of the running binary.
func Get() Info {
	info := Info{Version: "(unknown)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	info.Version = build.Main.Version
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			info.Commit = s.Value
		case "vcs.time":
			info.Time = s.Value
		case "vcs.modified":
			info.Modified = s.Value == "true"
		}
	}
	return info
}

// String gives version and commit in a few words, such as "v0.1.0 (4072941f0c)".
func (i Info) String() string {
	var b strings.Builder
	b.WriteString(i.Version)
	if i.Commit != "" {
		b.WriteString(" (" + i.Commit[:min(10, len(i.Commit))])
		if i.Modified {
			b.WriteString(", modified")
		}
		b.WriteString(")")
	}
	return b.String()
}
