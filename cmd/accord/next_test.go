package main

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgramIsWhatWasTyped(t *testing.T) {
	here := filepath.Join(t.TempDir(), "main.go")
	writeFile(t, here, "package main")
	for _, c := range []struct{ self, main, want string }{
		{"accord", here, "accord"},
		{"./accord", here, "./accord"},
		{"/tmp/go-build123/b001/exe/accord", here, "go run ./cmd/accord"},
		{"/tmp/go-build123/b001/exe/accord", here + ".not", "go run github.com/accord-fl/accord/cmd/accord"},
	} {
		if got := strings.Join(program(c.self, c.main), " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.self, got, c.want)
		}
	}
}

func TestPatience(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		500 * time.Millisecond: "",
		2 * time.Second:        "loading x …\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			var b strings.Builder
			done := patience(&b, "loading x")
			time.Sleep(wait)
			done()
			if got := b.String(); got != want {
				t.Errorf("after %v: got %q, want %q", wait, got, want)
			}
		})
	}
}
