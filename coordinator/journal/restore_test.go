package journal

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/checkpoint"
	"github.com/accord-fl/accord/internal/fault"
)

// shown is the checkpoint of a journal's head.
func shown(t testing.TB, j *File) []byte {
	t.Helper()
	msg, err := j.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func judge(t testing.TB, j *File, msg []byte, want Finding) {
	t.Helper()
	if got, c := j.Judge(msg); got != want {
		t.Errorf("head of %d records in %s: got %q, want %q", c.Head.Size, c.Incarnation, got, want)
	}
}

// contest lets the journal remember a head, as a coordinator does.
func recordContest(t testing.TB, j *File, msg []byte) {
	t.Helper()
	r, fresh, err := j.Contest(msg)
	if err != nil || !fresh {
		t.Fatalf("contest: new %v, error %v", fresh, err)
	}
	r.Seq = uint64(j.Head().Size) + 1
	appendAll(t, j, []Record{r})
	if _, fresh, err := j.Contest(msg); err != nil || fresh {
		t.Errorf("the same head is recorded twice, error %v", err)
	}
}

func restored(t testing.TB, f Folder, o Restoring) Restored {
	t.Helper()
	r, err := f.Restore(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestJudge(t *testing.T) {
	f := founded(t, false)
	p := mustStart(t, f)
	add(t, p.journal, "a", 2)
	early := shown(t, p.journal)
	add(t, p.journal, "a", 1)
	now := shown(t, p.journal)
	other := mustStart(t, founded(t, false))
	judge(t, p.journal, early, Consistent)
	judge(t, p.journal, now, Consistent)
	judge(t, p.journal, shown(t, other.journal), Foreign)
	judge(t, p.journal, bytes.Replace(early, []byte("\n3\n"), []byte("\n9\n"), 1), Unsigned)
	judge(t, p.journal, []byte("hello"), Malformed)
	judge(t, p.journal, nil, Malformed)
	other.close(t)
	p.close(t)
}

// An older copy is put back. The first site that knows more stops it, a restart
// does not forget that, and a restore goes on.
func TestAnOlderCopy(t *testing.T) {
	f := founded(t, false)
	p := mustStart(t, f)
	add(t, p.journal, "a", 5)
	common := shown(t, p.journal)
	p.close(t)
	backup := snapshot(t, f.Dir)

	p = mustStart(t, f)
	add(t, p.journal, "b", 3)
	little := shown(t, p.journal) // one site was away since
	add(t, p.journal, "b", 7)
	most := shown(t, p.journal)
	former := p.journal.Incarnation()
	p.close(t)

	put(t, f.Dir, backup)
	p = mustStart(t, f)
	judge(t, p.journal, common, Consistent)
	judge(t, p.journal, most, Later)
	add(t, p.journal, "c", 4) // it had gone on meanwhile
	judge(t, p.journal, little, Differs)
	judge(t, p.journal, most, Later)
	recordContest(t, p.journal, most)
	p.close(t)

	p = mustStart(t, f)
	if c, contested := p.journal.Contested(); !contested || c.Incarnation != former {
		t.Errorf("after a restart: contested %v by %+v", contested, c)
	}
	p.close(t)

	r := restored(t, f, Restoring{})
	if r.Former != former || r.Incarnation == former || r.Size != 6 {
		t.Errorf("got %+v, want a fork of %s after the 6 records of the copy", r, former)
	}
	p = mustStart(t, f)
	if _, contested := p.journal.Contested(); contested || p.journal.Incarnation() != r.Incarnation {
		t.Error("the restore has not ended the contest")
	}
	judge(t, p.journal, common, Consistent)
	judge(t, p.journal, little, Lost)
	judge(t, p.journal, most, Lost)
	add(t, p.journal, "d", 20)
	judge(t, p.journal, most, Lost)
	judge(t, p.journal, shown(t, p.journal), Consistent)
	p.close(t)
}

// Older copies are put back again and again, of whatever life. Each life that a
// site remembers is given up by one restore at most, and never believed by mistake.
func TestOlderCopiesOfSeveralLives(t *testing.T) {
	f := founded(t, false)
	p := mustStart(t, f)
	add(t, p.journal, "a", 2)
	p.close(t)
	first := snapshot(t, f.Dir)
	restored(t, f, Restoring{}) // another incarnation, of which the first copy knows nothing
	p = mustStart(t, f)
	add(t, p.journal, "b", 3)
	ofSecond := shown(t, p.journal)
	p.close(t)
	second := snapshot(t, f.Dir)

	put(t, f.Dir, first)
	p = mustStart(t, f)
	add(t, p.journal, "c", 30)
	judge(t, p.journal, ofSecond, Differs)
	recordContest(t, p.journal, ofSecond)
	p.close(t)
	restored(t, f, Restoring{})
	p = mustStart(t, f)
	judge(t, p.journal, ofSecond, Lost)
	ofThird := shown(t, p.journal)
	p.close(t)

	put(t, f.Dir, second)
	p = mustStart(t, f)
	judge(t, p.journal, ofSecond, Consistent)
	judge(t, p.journal, ofThird, Later) // the second life knows nothing of the third
	recordContest(t, p.journal, ofThird)
	p.close(t)
	restored(t, f, Restoring{})
	p = mustStart(t, f)
	judge(t, p.journal, ofThird, Lost)
	judge(t, p.journal, ofSecond, Consistent)
	p.close(t)
}

// After a fork a head of the former life that is not beyond it still has to fit:
// otherwise the records before the fork were changed.
func TestAForkDoesNotExcuseWhatWasBefore(t *testing.T) {
	f := founded(t, false)
	p := mustStart(t, f)
	add(t, p.journal, "a", 2)
	p.close(t)
	backup := snapshot(t, f.Dir)
	p = mustStart(t, f)
	add(t, p.journal, "b", 1)
	otherwise := shown(t, p.journal)
	p.close(t)
	put(t, f.Dir, backup)
	p = mustStart(t, f)
	add(t, p.journal, "c", 5)
	p.close(t)
	restored(t, f, Restoring{}) // nobody had shown anything: it is a fork after 8 records
	p = mustStart(t, f)
	judge(t, p.journal, otherwise, Differs)
	recordContest(t, p.journal, otherwise)
	p.close(t)
	restored(t, f, Restoring{})
	p = mustStart(t, f)
	judge(t, p.journal, otherwise, Lost)
	p.close(t)
}

// What an operator has to give up he has to ask for; then the folder starts.
func TestRestoresThatGiveSomethingUp(t *testing.T) {
	f := founded(t, true)
	p := mustStart(t, f)
	add(t, p.registry, "invited", 3)
	p.anchor(t)
	add(t, p.journal, "a", 3)
	old := shown(t, p.journal)
	p.close(t)
	whole := snapshot(t, f.Dir)
	flip := func(s string, at int) string {
		b := []byte(s)
		b[at] ^= 1
		return string(b)
	}
	registry := strings.SplitAfter(whole[RegistryFile], "\n")
	for name, c := range map[string]struct {
		change func(map[string]string)
		give   Restoring
		old    Finding // what the head of before means now
	}{
		"a damaged journal":   {func(m map[string]string) { m[JournalFile] = flip(m[JournalFile], len(m[JournalFile])-100) }, Restoring{Cut: true}, Lost},
		"a damaged registry":  {func(m map[string]string) { m[RegistryFile] = flip(m[RegistryFile], len(m[RegistryFile])-100) }, Restoring{Cut: true}, Consistent},
		"no journal":          {func(m map[string]string) { delete(m, JournalFile) }, Restoring{NewJournal: true}, Foreign},
		"only the registry":   {func(m map[string]string) { delete(m, JournalFile); delete(m, KeyFile) }, Restoring{NewJournal: true}, Foreign},
		"no registry":         {func(m map[string]string) { delete(m, RegistryFile) }, Restoring{NewRegistry: true}, Consistent},
		"an older registry":   {func(m map[string]string) { m[RegistryFile] = strings.Join(registry[:6], "") }, Restoring{AcceptRegistry: true}, Consistent},
		"no journal, no keys": {func(m map[string]string) { clear(m) }, Restoring{NewJournal: true, NewRegistry: true}, Foreign},
		"everything damaged": {func(m map[string]string) {
			m[JournalFile], m[RegistryFile] = flip(m[JournalFile], 3), flip(m[RegistryFile], 3)
		}, Restoring{NewJournal: true, NewRegistry: true}, Foreign},
	} {
		t.Run(name, func(t *testing.T) {
			changed := maps.Clone(whole)
			c.change(changed)
			put(t, f.Dir, changed)
			if _, err := start(t, f, false, nobody); !errors.Is(err, fault.Input) {
				t.Fatalf("the start: got error %v, want bad input", err)
			}
			if _, err := f.Restore(t.Context(), Restoring{}); !errors.Is(err, fault.Input) {
				t.Fatalf("a restore that gives up nothing: got error %v, want bad input", err)
			}
			r := restored(t, f, c.give)
			p := mustStart(t, f)
			defer p.close(t)
			judge(t, p.journal, old, c.old)
			if len(r.Did) == 0 && name != "an older registry" {
				t.Error("nothing says what was given up")
			}
			kept := 0
			for name := range snapshot(t, f.Dir) {
				if strings.Contains(name, ".jsonl.2") {
					kept++
				}
			}
			if strings.Contains(name, "damaged") && kept == 0 {
				t.Error("the damaged file is gone")
			}
		})
	}
}

// A key that is lost, damaged or another's is replaced by a record, and what the
// former one has signed stays good.
func TestALostKey(t *testing.T) {
	another, err := checkpoint.NewKey(checkpoint.NewOrigin())
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"lost": "", "damaged": "PRIVATE+KEY", "another's": string(another.Bytes())} {
		t.Run(name, func(t *testing.T) {
			f := founded(t, true)
			p := mustStart(t, f)
			add(t, p.journal, "a", 2)
			old, oldKey := shown(t, p.journal), p.journal.Verifier()
			p.close(t)
			if err := os.Remove(f.path(KeyFile)); err != nil {
				t.Fatal(err)
			}
			if file != "" {
				if err := os.WriteFile(f.path(KeyFile), []byte(file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := start(t, f, false, nobody); !errors.Is(err, fault.Input) {
				t.Fatalf("the start: got error %v, want bad input", err)
			}
			restored(t, f, Restoring{})
			p = mustStart(t, f)
			defer p.close(t)
			judge(t, p.journal, old, Consistent)
			judge(t, p.journal, shown(t, p.journal), Consistent)
			if p.journal.Verifier() == oldKey {
				t.Error("the journal still names the key that is lost")
			}
		})
	}
}
