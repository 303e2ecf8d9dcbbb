package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/pki"
)

// longPath returns a path of n bytes below a new folder, of which nothing is there
// yet.
func longPath(t *testing.T, n int) (top, path string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("paths are as long elsewhere as elsewhere allows")
	}
	dir := t.TempDir()
	top = filepath.Join(dir, "made")
	path = top
	for n-len(path) > 200 {
		path += "/" + strings.Repeat("d", 100)
	}
	return dir, path + "/" + strings.Repeat("e", n-len(path)-1)
}

// A command that fails half-way leaves no folder that it has made, and everything
// that was there. (What fails is that paths in the folder are too long.)
func TestCommandsThatFailHalfWayLeaveNothing(t *testing.T) {
	const limit = 4095 // bytes of a path
	for name, c := range map[string]struct {
		room int // for names in the folder
		args func(dir string) []string
	}{
		"federation init":              {15, func(dir string) []string { return []string{"federation", "init", dir, "--name", "heart"} }},
		"federation init, a bit later": {30, func(dir string) []string { return []string{"federation", "init", dir, "--name", "heart"} }},
		"simulate, before it begins":   {10, func(dir string) []string { return append(tinySimulation(t, "train", "test"), "--out", dir) }},
		"simulate, at the first model": {50, func(dir string) []string { return append(tinySimulation(t, "train", "test"), "--out", dir) }},
		"simulate with several seeds": {10, func(dir string) []string {
			return append(tinySimulation(t, "train", "test"), "--seeds", "1..2", "--out", dir)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			top, dir := longPath(t, limit-c.room)
			r := accord(t, c.args(dir)...)
			if r.code == exitOK || !strings.Contains(r.stderr, "/made/ddd") { // the rest of the message is cut
				t.Fatalf("got %d and %.300q, want an error that names a path", r.code, r.stderr)
			}
			if left, err := os.ReadDir(top); err != nil || len(left) != 0 {
				t.Errorf("%v stays, error %v", left, err)
			}
		})
	}
}

// A site that reached no coordinator has joined nothing, and its folder goes.
func TestJoinThatReachesNobodyLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	mustAccord(t, "data", "partition", "--sites", "1", "--samples-per-site", "20", "--test-samples", "50", "--out", filepath.Join(dir, "shards"))
	token := pki.Token{Coordinator: "127.0.0.1:1", Federation: "heart", Site: "athens", Secret: pki.NewSecret(), Root: strings.Repeat("0a", 32)}
	before, _ := os.ReadDir(dir)
	r := accord(t, "participant", "join", token.String(), "--dir", filepath.Join(dir, "new", "athens"), "--dataset", "safetensors:"+filepath.Join(dir, "shards", "site-01.safetensors"))
	if r.code != exitUnavailable {
		t.Fatalf("got %+v, want exit code %d", r, exitUnavailable)
	}
	after, _ := os.ReadDir(dir)
	if !slices.EqualFunc(before, after, func(a, b os.DirEntry) bool { return a.Name() == b.Name() }) {
		t.Errorf("%v were there, now %v", before, after)
	}
}
