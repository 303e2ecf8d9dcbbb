package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/coordinator/journal"
)

// The journal is made shorter while the coordinator is stopped, and it starts
// again from what is left.
func TestCompactByHand(t *testing.T) {
	federation := filepath.Join(t.TempDir(), "heart")
	mustAccord(t, "federation", "init", federation, "--address", "127.0.0.1:0")
	file := filepath.Join(federation, "coordinator", "coordinator.yaml")
	address, stop := startSecured(t, file)
	admin := []string{"--identity", filepath.Join(federation, "admin"), "--coordinator", address}
	for _, site := range []string{"site-a", "site-b", "site-c"} {
		mustAccord(t, append([]string{"invite", site}, admin...)...)
	}
	if r := accord(t, "coordinator", "compact", "-f", file); r.code != exitUnavailable {
		t.Errorf("while the coordinator runs: got %+v", r)
	}
	stop()
	size := func() int64 {
		info, err := os.Stat(filepath.Join(federation, "coordinator", "state", journal.JournalFile))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	if out := mustAccord(t, "coordinator", "compact", "-f", file); !strings.Contains(out, "the hashes are left") || size() >= before {
		t.Errorf("%d bytes after %d: %s", size(), before, out)
	}
	address, stop = startSecured(t, file)
	defer stop()
	if out := mustAccord(t, "members", "--identity", filepath.Join(federation, "admin"), "--coordinator", address); !strings.Contains(out, "site-c") {
		t.Errorf("members after a compaction:\n%s", out)
	}
}
