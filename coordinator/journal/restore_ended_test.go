package journal

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/disk/disktest"
	"github.com/accord-fl/accord/internal/fault"
)

// Whatever ends a restore half-way, the same restore finds all that it needs the
// next time, and what it replaces is kept.
func TestARestoreThatWasEndedHalfWay(t *testing.T) {
	f := founded(t, true)
	p := mustStart(t, f)
	add(t, p.registry, "invited", 3)
	p.anchor(t)
	add(t, p.journal, "a", 3)
	p.close(t)
	whole := snapshot(t, f.Dir)
	flipped := func(s string) string {
		b := []byte(s)
		b[len(b)-100] ^= 1
		return string(b)
	}
	for name, c := range map[string]struct {
		change func(map[string]string)
		give   Restoring
		then   Restoring // give as the error of the second try may ask for
		kept   string    // a file whose bytes are to stay, under whatever name
	}{
		"a damaged journal":  {func(m map[string]string) { m[JournalFile] = flipped(m[JournalFile]) }, Restoring{Cut: true}, Restoring{Cut: true}, JournalFile},
		"a damaged registry": {func(m map[string]string) { m[RegistryFile] = flipped(m[RegistryFile]) }, Restoring{Cut: true}, Restoring{Cut: true, AcceptRegistry: true}, RegistryFile},
		"another journal":    {func(map[string]string) {}, Restoring{NewJournal: true}, Restoring{NewJournal: true}, JournalFile},
		"another registry":   {func(map[string]string) {}, Restoring{NewRegistry: true}, Restoring{NewRegistry: true}, RegistryFile},
		"a lost key":         {func(m map[string]string) { delete(m, KeyFile) }, Restoring{}, Restoring{}, RegistryFile},
	} {
		t.Run(name, func(t *testing.T) {
			damaged := maps.Clone(whole)
			c.change(damaged)
			for n := 1; ; n++ {
				put(t, f.Dir, damaged)
				faulty := disktest.New()
				faulty.Fail(n, 1<<30)
				ending := Folder{Dir: f.Dir, Registry: true, Disk: faulty}
				if _, err := ending.Restore(t.Context(), c.give); err == nil {
					if n < 5 {
						t.Errorf("the restore took %d calls", n-1)
					}
					return
				}
				if _, err := f.Restore(t.Context(), c.give); err != nil {
					if _, err = f.Restore(t.Context(), c.then); err != nil {
						t.Fatalf("ended at call %d: %v", n, err)
					}
				}
				mustStart(t, f).close(t)
				kept := false
				for _, data := range snapshot(t, f.Dir) {
					kept = kept || strings.HasPrefix(data, damaged[c.kept])
				}
				if !kept {
					t.Fatalf("ended at call %d: nothing holds what was in %s", n, c.kept)
				}
			}
		})
	}
}

// A folder that is missing, as in a federation of the version before that was never
// started, is made by a restore that begins another journal, and by no other.
func TestRestoreOfAMissingFolder(t *testing.T) {
	f := Folder{Dir: filepath.Join(t.TempDir(), "state"), Registry: true}
	for _, give := range []Restoring{{}, {Cut: true}, {NewRegistry: true}} {
		if _, err := f.Restore(t.Context(), give); !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), "--new-journal") {
			t.Errorf("%+v: got error %v", give, err)
		}
		if _, err := os.Stat(f.Dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v: the folder is there: %v", give, err)
		}
	}
	restored(t, f, Restoring{NewJournal: true, NewRegistry: true})
	mustStart(t, f).close(t)
}
