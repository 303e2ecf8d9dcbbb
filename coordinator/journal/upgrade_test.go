package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// before is a folder of the version before, killed in the middle of a round.
func before(t testing.TB) Folder {
	t.Helper()
	f := Folder{Dir: t.TempDir(), Registry: true}
	for _, file := range []string{JournalFile, RegistryFile} {
		data, err := os.ReadFile(filepath.Join("testdata", "v1", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.path(file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestFilesOfTheVersionBeforeAreTakenOver(t *testing.T) {
	f := before(t)
	old := snapshot(t, f.Dir)
	p := mustStart(t, f)
	head := p.journal.Head()
	oldRecords := int64(bytes.Count([]byte(old[JournalFile]), []byte("\n")))
	if head.Size != oldRecords+2 || p.registry.Head().Size != int64(bytes.Count([]byte(old[RegistryFile]), []byte("\n")))+1 {
		t.Errorf("%d and %d records, want an upgrade record more in each, and the registry's head", head.Size, p.registry.Head().Size)
	}
	if got := len(replay(t, p.journal)); int64(got) != oldRecords {
		t.Errorf("%d records are visited, want %d", got, oldRecords)
	}
	early := shown(t, p.journal)
	add(t, p.journal, "a", 1)
	p.close(t)
	for file, data := range snapshot(t, f.Dir) {
		if before, was := old[file]; was && !bytes.HasPrefix([]byte(data), []byte(before)) {
			t.Errorf("the old lines of %s have changed", file)
		}
	}
	p = mustStart(t, f)
	judge(t, p.journal, early, Consistent)
	p.close(t)
}

// A file of the version before that begins as that version made it, empty, is
// taken over, too.
func TestAFolderOfTheVersionBeforeWithoutRecords(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"nothing yet":       {JournalFile: "", RegistryFile: ""},
		"sites and no run":  {JournalFile: "", RegistryFile: snapshot(t, before(t).Dir)[RegistryFile]},
		"a run and no site": {JournalFile: snapshot(t, before(t).Dir)[JournalFile], RegistryFile: ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := Folder{Dir: t.TempDir(), Registry: true}
			put(t, f.Dir, files)
			p := mustStart(t, f)
			if _, err := p.journal.Checkpoint(); err != nil {
				t.Error(err)
			}
			p.close(t)
			mustStart(t, f).close(t)
		})
	}
}

// Wherever a crash ends the upgrade, or the last append of the version before, the
// next start goes on.
func TestAnUpgradeMayEndAnywhere(t *testing.T) {
	f := before(t)
	old := snapshot(t, f.Dir)
	mustStart(t, f).close(t)
	whole := snapshot(t, f.Dir)
	lines := bytes.SplitAfter([]byte(old[JournalFile]), []byte("\n"))
	last := len(old[JournalFile]) - len(lines[len(lines)-2])
	const step = 13 // no divisor of any length here
	for end := last; end < len(whole[JournalFile]); end += step {
		files := map[string]string{JournalFile: whole[JournalFile][:end], RegistryFile: old[RegistryFile]}
		if end > len(old[JournalFile]) {
			files[KeyFile] = whole[KeyFile]
			files[RegistryFile] = whole[RegistryFile]
		}
		put(t, f.Dir, files)
		p, err := start(t, f, false, nobody)
		if err != nil {
			t.Fatalf("%d of %d bytes: %v", end, len(whole[JournalFile]), err)
		}
		want := int64(len(lines) - 1 + 2)
		if end < len(old[JournalFile]) {
			want-- // the last old line was torn
		}
		if got := p.journal.Head().Size; got != want {
			t.Fatalf("%d of %d bytes: %d records, want %d", end, len(whole[JournalFile]), got, want)
		}
		p.close(t)
	}
}

// Once they are taken over, old lines are protected as new ones are.
func TestEveryFlippedByteOfAnUpgradedFileIsNoticed(t *testing.T) {
	f := before(t)
	mustStart(t, f).close(t)
	for _, file := range []string{JournalFile, RegistryFile} {
		data, err := os.ReadFile(f.path(file))
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range data {
			all := flips(b)
			flipped := bytes.Clone(data)
			flipped[i] = all[i%len(all)]
			if _, cut, err := readBytes(flipped); cut != nil || !named(err) {
				t.Fatalf("%s: byte %d of %d, %q to %q: cut %+v, error %v", file, i, len(data), b, flipped[i], cut, err)
			}
		}
	}
}
