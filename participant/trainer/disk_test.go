package trainer_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/accord-fl/accord/participant/trainer"
)

// When the task's files cannot be written the program has not run, and the error
// says that another time it may; what the program does wrong is another matter.
func TestExecTellsTheDiskFromTheProgram(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tasks")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // where the folder is to be made
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	e := &trainer.Exec{Command: []string{self}, Env: []string{behaviour + "=work"}, Dir: dir, Limit: time.Minute}
	if err := zeros(t.Context(), t, e); !errors.Is(err, trainer.ErrDisk) {
		t.Errorf("got error %v, want ErrDisk", err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := zeros(t.Context(), t, e); err != nil {
		t.Errorf("got error %v when the folder could be made", err)
	}
	e.Env = []string{behaviour + "=fail"}
	if err := zeros(t.Context(), t, e); err == nil || errors.Is(err, trainer.ErrDisk) {
		t.Errorf("got error %v of a program that fails, want another than ErrDisk", err)
	}
	e.Command = []string{filepath.Dir(dir)} // a folder cannot be run
	if err := zeros(t.Context(), t, e); err == nil || errors.Is(err, trainer.ErrDisk) {
		t.Errorf("got error %v of a program that cannot be run, want another than ErrDisk", err)
	}
}
