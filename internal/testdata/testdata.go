// Package testdata finds the optional data sets and reference vectors that
// lie beside a checkout, for tests and benchmarks.
package testdata

import (
	"os"
	"path/filepath"
	"testing"
)

// Dir returns the folder ../shared/<name> beside the module's root, or skips
// the test, saying so, when it is not there.
func Dir(tb testing.TB, name string) string {
	tb.Helper()
	root, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(root)
		if parent == root {
			tb.Fatal("no go.mod above the test's folder")
		}
		root = parent
	}
	dir := filepath.Join(root, "..", "shared", filepath.FromSlash(name))
	if _, err := os.Stat(dir); err != nil {
		tb.Skipf("skipped: %s is not there", dir)
	}
	return dir
}
