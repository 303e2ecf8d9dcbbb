package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/coordinator/journal"
)

// startSecured starts the coordinator of a federation that was founded with the
// address 127.0.0.1:0.
func startSecured(t *testing.T, file string) (address string, stop func()) {
	t.Helper()
	log := newLogBuffer(readyAddress)
	stop = background(t, log, "coordinator", "-f", file)
	return log.wait(t), stop
}

// A federation's coordinator that has lost its journal or its registry does not
// start as if it were new. A restore says what it gives up, and then it starts.
func TestACoordinatorThatHasLostItsJournal(t *testing.T) {
	federation := filepath.Join(t.TempDir(), "heart")
	mustAccord(t, "federation", "init", federation, "--address", "127.0.0.1:0")
	file := filepath.Join(federation, "coordinator", "coordinator.yaml")
	state := filepath.Join(federation, "coordinator", "state")
	address, stop := startSecured(t, file)
	mustAccord(t, "invite", "site-a", "--identity", filepath.Join(federation, "admin"), "--coordinator", address)
	if r := accord(t, "coordinator", "restore", "-f", file); r.code != exitUnavailable {
		t.Errorf("a restore while the coordinator runs: got %+v", r)
	}
	stop()
	out := mustAccord(t, "coordinator", "restore", "-f", file)
	if !strings.Contains(out, "accord-journal/") || !strings.Contains(out, "Now start the coordinator.") {
		t.Errorf("a restore says\n%s", out)
	}
	_, stop = startSecured(t, file)
	stop()
	for _, c := range []struct{ lost, flag string }{
		{journal.RegistryFile, "--new-registry"},
		{journal.JournalFile, "--new-journal"},
	} {
		if err := os.Remove(filepath.Join(state, c.lost)); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"coordinator", "coordinator restore"} {
			r := accord(t, append(strings.Fields(command), "-f", file)...)
			if r.code != exitInput || !strings.Contains(r.stderr, c.lost) || !strings.Contains(r.stderr, "restore") && !strings.Contains(r.stderr, c.flag) {
				t.Errorf("accord %s without %s: got %+v, want exit code %d and what to do", command, c.lost, r, exitInput)
			}
		}
		mustAccord(t, "coordinator", "restore", "-f", file, c.flag)
		_, stop := startSecured(t, file)
		stop()
	}
}

// Without certificates the first start makes the journal. A folder that a
// coordinator has worked in is not taken for a new one.
func TestAnInsecureCoordinatorThatHasLostItsJournal(t *testing.T) {
	dir := t.TempDir()
	file, state := filepath.Join(dir, "coordinator.yaml"), filepath.Join(dir, "state")
	writeFile(t, file, fmt.Sprintf("listen: 127.0.0.1:0\ninsecure: true\ndir: %q\n", state))
	_, stop := startSecured(t, file)
	stop()
	for _, name := range []string{journal.JournalFile, journal.KeyFile} {
		if err := os.Remove(filepath.Join(state, name)); err != nil {
			t.Fatal(err)
		}
		if name == journal.KeyFile { // the key gone, too, a model betrays what was there
			if err := os.MkdirAll(filepath.Join(state, "runs", "r"), 0o755); err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(state, "runs", "r", "model.safetensors"), "x")
		}
		r := accord(t, "coordinator", "-f", file)
		if r.code != exitInput || !strings.Contains(r.stderr, "restore") {
			t.Errorf("without %s: got %+v, want exit code %d and what to do", name, r, exitInput)
		}
	}
	mustAccord(t, "coordinator", "restore", "-f", file, "--new-journal")
	kept, err := filepath.Glob(filepath.Join(state, "runs.*", "r", "model.safetensors"))
	if err != nil || len(kept) != 1 {
		t.Errorf("the published model is in %v, error %v, want a folder of its own", kept, err)
	}
}
