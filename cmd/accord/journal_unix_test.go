//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/internal/fault"
)

// The journal puts the time to a line and reads its priority; elsewhere a line
// has both in itself.
func TestLogToJournal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	t.Setenv("JOURNAL_STREAM", "1:2") // somebody else's, such as a parent's
	if isJournal(f) {
		t.Error("a file that systemd did not name counts as the journal")
	}
	t.Setenv("JOURNAL_STREAM", identity(f))
	log, err := newLog(f, "debug")
	if err != nil {
		t.Fatal(err)
	}
	log = log.Named("rpc").With(zap.Int("n", 1))
	log.Debug("d")
	log.Info("i")
	log.Warn("w")
	log.Error("e")
	printError(f, newRoot(nil, nil), fault.As(fault.Input, errors.Join(errors.New("x"), errors.New("y"))))
	got, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	want := `<7>{"level":"debug","from":"rpc","event":"d","n":1}
<6>{"level":"info","from":"rpc","event":"i","n":1}
<4>{"level":"warn","from":"rpc","event":"w","n":1}
<3>{"level":"error","from":"rpc","event":"e","n":1}
<3>accord: x
<3>accord: y
`
	if string(got) != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
