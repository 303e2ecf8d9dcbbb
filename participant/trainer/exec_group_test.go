package trainer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// outlive sleeps, and tells when it is an orphan.
func outlive(parent string) error {
	for range 6000 {
		time.Sleep(10 * time.Millisecond)
		if fmt.Sprint(os.Getppid()) != parent {
			time.Sleep(time.Second) // whoever kills both may need a moment
			return os.WriteFile(os.Getenv("ACCORD_TEST_PID")+orphan, nil, 0o600)
		}
	}
	return nil
}

// orphan is added to the name of the file with a child's pid.
const orphan = ".orphan"

func TestExecKillsTheWholeGroup(t *testing.T) {
	t.Run("cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		pidFile := filepath.Join(t.TempDir(), "pid")
		go func() {
			for readPID(pidFile) == 0 && ctx.Err() == nil {
				time.Sleep(time.Millisecond) // a real process takes real time
			}
			cancel(errors.New("withdrawn"))
		}()
		hang(ctx, t, pidFile, time.Minute, "withdrawn")
	})
	t.Run("limit", func(t *testing.T) {
		limit := time.Second
		for pidFile := filepath.Join(t.TempDir(), "pid"); readPID(pidFile) == 0; limit *= 2 { // until the child had time to start
			hang(t.Context(), t, pidFile, limit, fmt.Sprintf("killed after the time limit of %v", limit))
		}
	})
}

// hang runs a program whose child holds on to its output, and checks that both end
// together.
func hang(ctx context.Context, t *testing.T, pidFile string, limit time.Duration, want string) {
	t.Helper()
	e, _ := program(t, "hang", "ACCORD_TEST_PID="+pidFile)
	e.Limit = limit
	err := zeros(ctx, t, e)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if _, err := os.Stat(pidFile + orphan); err == nil {
		t.Error("the child lived longer than its parent")
	}
	pid := readPID(pidFile)
	for end := time.Now().Add(30 * time.Second); pid != 0 && alive(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) { // a killed process may take a moment to go
			t.Fatalf("child %d is alive", pid)
		}
	}
}

func readPID(path string) int {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	var pid int
	_, _ = fmt.Sscan(string(data), &pid) // 0 while the file is empty
	return pid
}
