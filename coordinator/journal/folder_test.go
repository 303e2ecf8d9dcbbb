package journal

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/checkpoint"
	"github.com/accord-fl/accord/internal/disk/disktest"
	"github.com/accord-fl/accord/internal/fault"
)

// pair is an open folder.
type pair struct {
	journal, registry *File
}

func (p pair) close(t testing.TB) {
	t.Helper()
	err := p.journal.Close()
	if p.registry != nil {
		err = errors.Join(err, p.registry.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// start opens a folder and replays it, as a coordinator does.
func start(t testing.TB, f Folder, first bool, traces func() (string, error)) (pair, error) {
	t.Helper()
	journal, registry, err := f.Open(first, traces)
	if err != nil {
		return pair{}, err
	}
	p := pair{journal, registry}
	if registry != nil {
		if _, err := registry.Replay(t.Context(), ignore); err != nil {
			p.close(t)
			return pair{}, err
		}
	}
	if _, err := journal.Replay(t.Context(), ignore); err != nil {
		p.close(t)
		return pair{}, err
	}
	return p, nil
}

func mustStart(t testing.TB, f Folder) pair {
	t.Helper()
	p, err := start(t, f, false, nobody)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func founded(t testing.TB, registry bool) Folder {
	t.Helper()
	f := Folder{Dir: t.TempDir(), Registry: registry}
	if err := f.Found(); err != nil {
		t.Fatal(err)
	}
	return f
}

// add appends n records of a kind.
func add(t testing.TB, j *File, kind string, n int) {
	t.Helper()
	for range n {
		appendAll(t, j, []Record{rec(uint64(j.Head().Size)+1, kind)})
	}
}

// anchor records the registry's head in the journal.
func (p pair) anchor(t testing.TB) {
	t.Helper()
	r, err := RegistryHead(p.registry.Head())
	if err != nil {
		t.Fatal(err)
	}
	r.Seq = uint64(p.journal.Head().Size) + 1
	appendAll(t, p.journal, []Record{r})
}

// snapshot is the content of a folder's files; put writes it back and removes
// what is not in it.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(data)
	}
	return all
}

func put(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name := range snapshot(t, dir) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFoundedFolderStarts(t *testing.T) {
	for _, registry := range []bool{false, true} {
		f := founded(t, registry)
		p := mustStart(t, f)
		msg, err := p.journal.Checkpoint()
		if err != nil {
			t.Fatal(err)
		}
		c, err := checkpoint.Open(msg, p.journal.Verifier())
		if err != nil || c.Origin != p.journal.Origin() || c.Incarnation != p.journal.Incarnation() || c.Head != p.journal.Head() {
			t.Errorf("checkpoint %+v, error %v", c, err)
		}
		if registry && (p.registry.Origin() != p.journal.Origin() || *p.journal.s.own.registry != p.registry.Head()) {
			t.Error("the journal does not cover the registry")
		}
		p.close(t)
		mode := fs.FileMode(0)
		if info, err := os.Stat(f.path(KeyFile)); err == nil {
			mode = info.Mode().Perm()
		}
		if mode != 0o600 {
			t.Errorf("the key has mode %v, want only its owner to read it", mode)
		}
	}
}

// What is missing, emptied or another's stops the start, and nothing is written.
func TestAFolderThatHasLostSomethingDoesNotStart(t *testing.T) {
	f := founded(t, true)
	p := mustStart(t, f)
	add(t, p.registry, "invited", 3)
	p.anchor(t)
	add(t, p.journal, "a", 3)
	p.close(t)
	whole := snapshot(t, f.Dir)
	other := founded(t, true)
	mustStart(t, other).close(t)
	another := snapshot(t, other.Dir)
	lines := strings.SplitAfter(whole[RegistryFile], "\n")

	for name, change := range map[string]func(map[string]string){
		"no journal":                func(m map[string]string) { delete(m, JournalFile) },
		"an empty journal":          func(m map[string]string) { m[JournalFile] = "" },
		"no journal and no key":     func(m map[string]string) { delete(m, JournalFile); delete(m, KeyFile) },
		"nothing":                   func(m map[string]string) { clear(m) },
		"no registry":               func(m map[string]string) { delete(m, RegistryFile) },
		"an empty registry":         func(m map[string]string) { m[RegistryFile] = "" },
		"a cut registry":            func(m map[string]string) { m[RegistryFile] = strings.Join(lines[:len(lines)-4], "") },
		"a registry's first record": func(m map[string]string) { m[RegistryFile] = strings.Join(lines[:3], "") },
		"another's registry":        func(m map[string]string) { m[RegistryFile] = another[RegistryFile] },
		"another's journal":         func(m map[string]string) { m[JournalFile] = another[JournalFile] },
		"no key":                    func(m map[string]string) { delete(m, KeyFile) },
		"another's key":             func(m map[string]string) { m[KeyFile] = another[KeyFile] },
		"a damaged key":             func(m map[string]string) { m[KeyFile] = m[KeyFile][1:] },
		"journal and registry exchanged": func(m map[string]string) {
			m[JournalFile], m[RegistryFile] = m[RegistryFile], m[JournalFile]
		},
	} {
		t.Run(name, func(t *testing.T) {
			changed := maps.Clone(whole)
			change(changed)
			put(t, f.Dir, changed)
			before := maps.Clone(changed)
			for _, first := range []bool{false, true} {
				if first && name == "nothing" {
					continue // there is no trace of a former life
				}
				_, err := start(t, f, first, nobody)
				if !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), f.Dir) || !strings.Contains(err.Error(), "restore") && !strings.Contains(err.Error(), "exchanged") {
					t.Errorf("first start %v: got error %v, want bad input that names a file and says what to do", first, err)
				}
			}
			after := snapshot(t, f.Dir)
			maps.DeleteFunc(after, func(name, _ string) bool { return strings.HasSuffix(name, ".lock") })
			maps.DeleteFunc(before, func(name, _ string) bool { return strings.HasSuffix(name, ".lock") })
			if !maps.Equal(before, after) {
				t.Error("the folder has changed")
			}
		})
	}
}

// Without certificates the first start begins a journal, unless something says
// that it is not the first.
func TestAFirstStart(t *testing.T) {
	f := Folder{Dir: t.TempDir()}
	trace := func() (string, error) { return "a model", nil }
	if _, err := start(t, f, true, trace); !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), "a model") {
		t.Errorf("with a trace of a former life: got error %v", err)
	}
	p, err := start(t, f, true, nobody)
	if err != nil {
		t.Fatal(err)
	}
	id := p.journal.Origin()
	p.close(t)
	if p = mustStart(t, f); p.journal.Origin() != id {
		t.Error("the second start has made another journal")
	}
	p.close(t)
}

// Whichever call fails while a folder is founded, by itself or by a first start,
// the next first start makes it whole or goes on with it.
func TestFoundingMayFailAnywhere(t *testing.T) {
	counting := disktest.New()
	if err := (Folder{Dir: t.TempDir(), Disk: counting}).Found(); err != nil {
		t.Fatal(err)
	}
	calls, log := counting.Calls()
	for call := 1; call <= calls; call++ {
		faulty := disktest.New()
		faulty.Fail(call, 1)
		f := Folder{Dir: t.TempDir(), Disk: faulty}
		if err := f.Found(); err == nil {
			t.Errorf("call %d, %s: founded", call, log[call-1])
		}
		p, err := start(t, Folder{Dir: f.Dir}, true, nobody)
		if err != nil {
			t.Errorf("call %d, %s: %v", call, log[call-1], err)
			continue
		}
		if _, err := p.journal.Checkpoint(); err != nil {
			t.Errorf("call %d, %s: %v", call, log[call-1], err)
		}
		p.close(t)
	}
}

// A registry may be ahead by the one change that was not answered yet.
func TestTheRegistryMayBeAheadByOneChange(t *testing.T) {
	f := founded(t, true)
	p := mustStart(t, f)
	add(t, p.registry, "invited", 1)
	p.close(t)
	p = mustStart(t, f)
	if *p.journal.s.own.registry != p.registry.Head() {
		t.Error("the start has not recorded the registry's head")
	}
	add(t, p.registry, "invited", 2)
	p.close(t)
	if _, err := start(t, f, false, nobody); !errors.Is(err, errAhead) || !errors.Is(err, fault.Input) {
		t.Errorf("ahead by two: got error %v, want %v", err, errAhead)
	}
	if _, err := f.Restore(t.Context(), Restoring{}); err != nil {
		t.Errorf("a restore with a newer registry: %v", err)
	}
	mustStart(t, f).close(t)
}

// Nobody else opens a folder that is open, for a restore neither.
func TestAFolderIsOpenedOnce(t *testing.T) {
	f := founded(t, true)
	p := mustStart(t, f)
	if _, err := start(t, f, false, nobody); !errors.Is(err, fault.Unavailable) {
		t.Errorf("a second start: got error %v", err)
	}
	if _, err := f.Restore(t.Context(), Restoring{}); !errors.Is(err, fault.Unavailable) {
		t.Errorf("a restore: got error %v", err)
	}
	p.close(t)
	mustStart(t, f).close(t)
}
