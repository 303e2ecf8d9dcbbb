package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// peer is what our Python files print of a training.
type peer struct {
	Version          string  `json:"version"`
	SamplesPerSecond float64 `json:"samples_per_second"`
	PeakRSS          float64 `json:"peak_rss_bytes"`
	Rounds           []struct {
		Seconds float64 `json:"seconds"`
	} `json:"rounds"`
}

// environments are the peers' interpreters.
type environments struct {
	dir     string // of the virtual environments
	scripts string // of our Python files
	home    string // for what peers write beside their results
	log     io.Writer
}

// grace is how long a peer that was asked to stop may take to stop its workers.
const grace = 10 * time.Second

// run runs one of our Python files and decodes the last line that it prints, or
// what it leaves in the file that it is told of by --out. It returns how long
// that took from the start of the process to its end.
func (e environments) run(ctx context.Context, into *peer, environment, script string, args ...string) (time.Duration, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, e.interpreter(environment), append([]string{filepath.Join(e.scripts, script)}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = &stdout, &stderr, e.home
	// Flower's workers look for our files by PYTHONPATH.
	cmd.Env = append(os.Environ(), "PYTHONPATH="+e.scripts, "PYTHONDONTWRITEBYTECODE=1",
		"HOME="+e.home, "FLWR_HOME="+filepath.Join(e.home, "flwr"), "KERAS_HOME="+filepath.Join(e.home, "keras"))
	begin := time.Now()
	if err := e.do(ctx, cmd, script+" "+strings.Join(args, " ")); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", script, err, tail(stderr.String()))
	}
	elapsed := time.Since(begin)
	out := []byte(lastLine(stdout.String()))
	if i := slices.Index(args, "--out"); i >= 0 {
		var err error
		if out, err = os.ReadFile(args[i+1]); err != nil {
			return 0, fmt.Errorf("%s: %w", script, err)
		}
		if err := os.Remove(args[i+1]); err != nil { // what the next go finds is its own
			return 0, err
		}
	}
	if err := json.Unmarshal(out, into); err != nil {
		return 0, fmt.Errorf("%s: %w in %.200q", script, err, out)
	}
	if into.Version == "" {
		return 0, fmt.Errorf("%s: no version in %.200q", script, out)
	}
	return elapsed, nil
}

// do runs a command to its end, or to that of ctx, with all that it starts.
func (e environments) do(ctx context.Context, cmd *exec.Cmd, what string) error {
	if _, err := fmt.Fprintln(e.log, "+", what); err != nil {
		return err
	}
	cmd.WaitDelay = grace
	ownGroup(cmd)
	err := cmd.Run()
	if cmd.Process != nil {
		killGroup(cmd) // children that it left behind
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well; only such children held its output open
	}
	return errors.Join(ctx.Err(), err)
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// tail is the end of a long text, where errors are.
func tail(text string) string {
	const most = 4000
	return text[max(0, len(text)-most):]
}
