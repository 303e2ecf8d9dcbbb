package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/accord-fl/accord/internal/report"
)

const federationRun = `
name: demo
seed: 3
rounds: 2
min_sites: 3
local: {epochs: 1, batch: 10, optimizer: sgd, lr: 0.1}
simulation: {dataset: digits, sites: 3, samples_per_site: 20, test_samples: 50}
`

// A run over gRPC, on the shards that data partition wrote, ends with the very
// model of a simulation from the same file; and a coordinator that was stopped
// knows the run when it comes back on a copy of its folder.
func TestSimulationAndFederationAgree(t *testing.T) {
	dir := t.TempDir()
	runFile := filepath.Join(dir, "run.yaml")
	writeFile(t, runFile, federationRun)
	mustAccord(t, "simulate", "-f", runFile, "--out", filepath.Join(dir, "simulated"))
	want, err := report.ReadModel(filepath.Join(dir, "simulated", report.CardFile))
	if err != nil {
		t.Fatal(err)
	}
	shards := filepath.Join(dir, "shards")
	mustAccord(t, "data", "partition", "--sites", "3", "--samples-per-site", "20", "--test-samples", "50", "--seed", "3", "--out", shards)

	address, stop := startCoordinator(t, dir, shards)
	mustAccord(t, "run", "submit", "-f", runFile, "--coordinator", address)
	leave := startParticipants(t, dir, shards, address, 3)
	mustAccord(t, "run", "watch", "demo", "--coordinator", address)
	leave()
	stop()
	for i := range 3 {
		if _, err := os.Stat(filepath.Join(dir, fmt.Sprintf("site-%02d", i+1), "outbox")); err != nil {
			t.Errorf("a site without a folder of its own: %v", err)
		}
	}

	got, err := report.ReadModel(filepath.Join(dir, "coordinator", "runs", "demo", report.CardFile))
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest != want.Digest || *got.Accuracy != *want.Accuracy {
		t.Errorf("over gRPC: model %.12s, accuracy %v; simulated: %.12s, %v", got.Digest, *got.Accuracy, want.Digest, *want.Accuracy)
	}
	// A backup is a copy of the folder.
	restored := t.TempDir()
	if err := os.CopyFS(filepath.Join(restored, "coordinator"), os.DirFS(filepath.Join(dir, "coordinator"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(restored, "coordinator", "journal.key"), 0o600); err != nil { // which CopyFS does not keep
		t.Fatal(err)
	}
	address, stop = startCoordinator(t, restored, shards)
	defer stop()
	if shown := mustAccord(t, "run", "show", "demo", "--coordinator", address); !strings.Contains(shown, want.Digest) {
		t.Errorf("restarted on a copy of its folder the coordinator shows:\n%s\nwant model %s", shown, want.Digest)
	}
}

var readyAddress = regexp.MustCompile(`coordinator ready.*?((?:127\.0\.0\.1|\[::\]):\d+)`)

// startCoordinator runs one on a port of its own.
func startCoordinator(t *testing.T, dir, shards string) (address string, stop func()) {
	t.Helper()
	file := filepath.Join(dir, "coordinator.yaml")
	writeFile(t, file, fmt.Sprintf("listen: 127.0.0.1:0\ninsecure: true\ndir: %q\ntest: {dataset: %q}\n",
		filepath.Join(dir, "coordinator"), "safetensors:"+filepath.Join(shards, "test.safetensors")))
	log := newLogBuffer(readyAddress)
	stop = background(t, log, "coordinator", "-f", file)
	return log.wait(t), stop
}

func startParticipants(t *testing.T, dir, shards, address string, n int) (stop func()) {
	t.Helper()
	// One file serves for all sites of a machine; flags tell them apart.
	file := filepath.Join(dir, "participant.yaml")
	writeFile(t, file, fmt.Sprintf("name: site-01\ncoordinator: %s\ninsecure: true\ndir: site-01\ndata: {dataset: %q}\n",
		address, "safetensors:"+filepath.Join(shards, "site-01.safetensors")))
	stops := []func(){background(t, io.Discard, "participant", "-f", file)}
	for i := 1; i < n; i++ {
		name := fmt.Sprintf("site-%02d", i+1)
		stops = append(stops, background(t, io.Discard, "participant", "-f", file,
			"--name", name, "--dataset", "safetensors:"+filepath.Join(shards, name+".safetensors")))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// background runs a command line until stop, which checks that it ended as an
// interrupted or finished command does.
func background(t *testing.T, stderr io.Writer, args ...string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	code := make(chan int, 1)
	go func() {
		c := run(ctx, args, io.Discard, stderr)
		if log, ok := stderr.(*logBuffer); ok {
			log.once.Do(func() { close(log.ended) })
		}
		code <- c
	}()
	return sync.OnceFunc(func() {
		cancel()
		if c := <-code; c != exitOK && c != exitInterrupted {
			t.Errorf("accord %s: exit code %d", args[0], c)
		}
	})
}

// logBuffer waits for a line.
type logBuffer struct {
	want  *regexp.Regexp
	found chan string
	ended chan struct{} // closed when who wrote to it has ended
	once  sync.Once

	mu   sync.Mutex
	text bytes.Buffer
}

func newLogBuffer(want *regexp.Regexp) *logBuffer {
	return &logBuffer{want: want, found: make(chan string, 1), ended: make(chan struct{})}
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	if m := l.want.FindSubmatch(l.text.Bytes()); m != nil {
		select {
		case l.found <- string(m[1]):
		default:
		}
	}
	return len(p), nil
}

func (l *logBuffer) wait(t *testing.T) string {
	t.Helper()
	select {
	case s := <-l.found:
		return s
	case <-l.ended:
		l.mu.Lock()
		defer l.mu.Unlock()
		t.Fatalf("it ended before %s:\n%s", l.want, l.text.String())
		return ""
	case <-t.Context().Done():
		t.Fatalf("never came: %s", l.want)
		return ""
	}
}

// A port in use and a listen address that is not loopback are told apart from
// other failures, and nothing is written.
func TestCoordinatorRefusesAddresses(t *testing.T) {
	dir := t.TempDir()
	shards := filepath.Join(dir, "shards")
	mustAccord(t, "data", "partition", "--sites", "1", "--samples-per-site", "10", "--test-samples", "10", "--out", shards)
	address, stop := startCoordinator(t, dir, shards)
	defer stop()
	for listen, want := range map[string]int{address: exitUnavailable, "0.0.0.0:0": exitInput} {
		file := filepath.Join(t.TempDir(), "other.yaml")
		other := filepath.Join(dir, "other")
		writeFile(t, file, fmt.Sprintf("listen: %s\ninsecure: true\ndir: %q\n", listen, other))
		if r := accord(t, "coordinator", "-f", file); r.code != want {
			t.Errorf("listen on %s: exit code %d, want %d\n%s", listen, r.code, want, r.stderr)
		}
		if _, err := os.Stat(other); err == nil {
			t.Errorf("listen on %s: left a folder behind", listen)
		}
	}
}
