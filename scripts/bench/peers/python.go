package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The environments. TensorFlow and PyTorch in one process abort, so each has its
// own.
const (
	torch = "torch"
	keras = "tf"
)

// packages are what pip installs into an environment, and modules what then must
// be there.
var (
	packages = map[string][]string{torch: {"torch", "numpy", "flwr[simulation]"}, keras: {"tensorflow", "numpy"}}
	modules  = map[string]string{torch: "torch, numpy, flwr", keras: "tensorflow, keras, numpy"}
)

// environments are the peers' interpreters.
type environments struct {
	dir     string // of the virtual environments
	scripts string // of our Python files
	home    string // for what peers write beside their results
}

// prepare installs what the measurements need and is not there.
func prepare(ctx context.Context, o options, wanted []measurement, home string) (e environments, err error) {
	e = environments{dir: o.venv, home: home}
	if e.dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return e, err
		}
		e.dir = filepath.Join(cache, "accord-peers")
	}
	if e.dir, err = filepath.Abs(e.dir); err != nil {
		return e, err
	}
	if e.scripts, err = filepath.Abs(filepath.Join("scripts", "bench", "peers")); err != nil {
		return e, err
	}
	var needed []string
	for _, m := range wanted {
		needed = append(needed, m.peers...)
	}
	slices.Sort(needed)
	for _, name := range slices.Compact(needed) {
		if err := e.install(ctx, name, o.upgrade); err != nil {
			return e, err
		}
	}
	return e, nil
}

// install makes an environment, unless it is there and nothing newer is wanted.
func (e environments) install(ctx context.Context, name string, upgrade bool) error {
	dir := filepath.Join(e.dir, name)
	if !upgrade && exec.CommandContext(ctx, e.interpreter(name), "-c", "import "+modules[name]).Run() == nil {
		return nil
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		return errors.New("python3 is needed for the peers: install it, with its venv module, or measure without (-only engine,odd,fold)")
	}
	fmt.Fprintf(os.Stderr, "installing %s into %s; this takes minutes and some gigabytes\n", strings.Join(packages[name], ", "), dir)
	for _, command := range [][]string{
		{python, "-m", "venv", dir},
		append([]string{e.interpreter(name), "-m", "pip", "install", "--quiet", "--upgrade"}, packages[name]...),
	} {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(command, " "), errors.Join(ctx.Err(), err))
		}
	}
	return nil
}

func (e environments) interpreter(name string) string {
	return filepath.Join(e.dir, name, "bin", "python")
}

// run runs one of our Python files and decodes the last line that it prints, or
// what it leaves in the file that it is told of by --out.
func (e environments) run(ctx context.Context, into any, environment, script string, args ...string) (time.Duration, error) {
	fmt.Fprintln(os.Stderr, "+", script, strings.Join(args, " "))
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, e.interpreter(environment), append([]string{filepath.Join(e.scripts, script)}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = &stdout, &stderr, e.home
	// Flower's workers look for our files by PYTHONPATH.
	cmd.Env = append(os.Environ(), "PYTHONPATH="+e.scripts, "HOME="+e.home, "PYTHONDONTWRITEBYTECODE=1")
	// A peer that was asked to stop has children to stop, too.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", script, errors.Join(ctx.Err(), err), tail(stderr.String()))
	}
	elapsed := time.Since(begin)
	out := []byte(lastLine(stdout.String()))
	if i := slices.Index(args, "--out"); i >= 0 {
		var err error
		if out, err = os.ReadFile(args[i+1]); err != nil {
			return 0, fmt.Errorf("%s: %w", script, err)
		}
	}
	if err := json.Unmarshal(out, into); err != nil {
		return 0, fmt.Errorf("%s: %w in %.200q", script, err, out)
	}
	return elapsed, nil
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
