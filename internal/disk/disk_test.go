package disk_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/disk/disktest"
)

// Whichever step fails, a file is the old or the new one, and the error says
// that it may pass.
func TestAnyStepOfReplacingAFileMayFail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	faulty := disktest.New()
	if err := atomicfile.On(faulty).WriteBytes(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	steps, log := faulty.Calls()
	if steps != 5 { // open, write, fsync, rename, fsync of the folder
		t.Fatalf("%d steps, want 5: %v", steps, log)
	}
	for step := 1; step <= steps; step++ {
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		faulty := disktest.New()
		faulty.Fail(step, 1)
		err := atomicfile.On(faulty).WriteBytes(path, []byte("new"))
		if !errors.Is(err, syscall.ENOSPC) || !disk.Passing(err) {
			t.Errorf("step %d, %s: got error %v, want a passing ENOSPC", step, log[step-1], err)
		}
		if text := err.Error(); strings.Contains(text, ".tmp") && log[step-1] != "rename "+path {
			t.Errorf("step %d: %q names the temporary file", step, text)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "old" && step < steps || string(got) != "new" && step == steps {
			t.Errorf("step %d, %s: the file holds %q, error %v", step, log[step-1], got, err)
		}
		if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
			t.Errorf("step %d: %d files in the folder, error %v, want 1", step, len(left), err)
		}
	}
}

// Of files that are replaced together the last is new only when all are.
func TestAnyStepOfReplacingFilesTogetherMayFail(t *testing.T) {
	write := func(d disk.Disk, dir, text string) error {
		put := func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		}
		return atomicfile.On(d).WriteTogether(
			atomicfile.Replacement{Path: filepath.Join(dir, "model"), Write: put},
			atomicfile.Replacement{Path: filepath.Join(dir, "card"), Write: put})
	}
	steps := 9 // open, write and fsync of each, two renames, fsync of the folder
	for step := 1; step <= steps+1; step++ {
		dir := t.TempDir()
		if err := write(disk.OS(), dir, "old"); err != nil {
			t.Fatal(err)
		}
		faulty := disktest.New()
		faulty.Fail(step, 1)
		err := write(faulty, dir, "new")
		if failed := step <= steps; errors.Is(err, syscall.ENOSPC) != failed {
			t.Errorf("step %d of %d: got error %v", step, steps, err)
		}
		model, modelErr := os.ReadFile(filepath.Join(dir, "model"))
		card, cardErr := os.ReadFile(filepath.Join(dir, "card"))
		if err := errors.Join(modelErr, cardErr); err != nil {
			t.Fatal(err)
		}
		if string(card) == "new" && string(model) != "new" || err == nil && string(card) != "new" {
			t.Errorf("step %d: model %q, card %q, error %v", step, model, card, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
			t.Errorf("step %d: %d files in the folder, error %v, want 2", step, len(left), err)
		}
	}
}

func TestPassing(t *testing.T) {
	at := func(err error) error { return &fs.PathError{Op: "write", Path: "x", Err: err} }
	for _, c := range []struct {
		err              error
		passing, lasting bool
	}{
		{fmt.Errorf("append: %w", at(syscall.ENOSPC)), true, false},
		{&os.LinkError{Op: "rename", Old: "a", New: "b", Err: syscall.EIO}, true, false},
		{at(syscall.EROFS), true, false},
		{at(syscall.EACCES), true, true},
		{at(syscall.ENOTDIR), true, true},
		{at(syscall.EISDIR), true, true},
		{at(syscall.ENOENT), false, true},
		{&fs.PathError{Op: "fork/exec", Path: "x", Err: syscall.ENOEXEC}, false, true},
		{&os.SyscallError{Syscall: "connect", Err: syscall.ECONNREFUSED}, false, true},
		{errors.New("the journal is damaged"), false, true},
		{nil, false, true},
	} {
		if got := disk.Passing(c.err); got != c.passing {
			t.Errorf("%v: got passing %v, want %v", c.err, got, c.passing)
		}
		if got := disk.Lasting(c.err); got != c.lasting {
			t.Errorf("%v: got lasting %v, want %v", c.err, got, c.lasting)
		}
	}
}

// Folders are made with those above them, each durable, or not at all.
func TestAnyStepOfMakingAFolderMayFail(t *testing.T) {
	for step := 1; step <= 5; step++ { // two folders, two steps each; the last: none fails
		dir := t.TempDir()
		faulty := disktest.New()
		faulty.Fail(step, 1)
		path := filepath.Join(dir, "runs", "r")
		err := disk.Make(faulty, path, 0o755)
		if failed := step < 5; disk.Passing(err) != failed {
			t.Errorf("step %d: got error %v", step, err)
		}
		if _, missing := os.Stat(path); (missing == nil) != (err == nil) {
			t.Errorf("step %d: got error %v, and of the folder %v", step, err, missing)
		}
		if again := disk.Make(disk.OS(), path, 0o755); err != nil && again != nil || err == nil && !errors.Is(again, fs.ErrExist) {
			t.Errorf("step %d: got error %v at the second try", step, again)
		}
	}
}
