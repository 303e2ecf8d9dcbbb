package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// The environments. TensorFlow and PyTorch in one process abort, so each has its
// own.
const (
	torch = "torch"
	keras = "tf"
)

// contents are what pip installs into an environment, and the modules that then
// must be there.
func contents(environment string) (packages []string, modules string) {
	if environment == torch {
		return []string{"torch", "numpy", "flwr[simulation]"}, "torch, numpy, flwr, ray"
	}
	return []string{"tensorflow", "keras", "numpy"}, "tensorflow, keras, numpy"
}

// prepare finds the environments' folder and installs what the measurements need
// and is not there.
func prepare(ctx context.Context, o options, wanted []measurement, e environments) (environments, error) {
	e.dir = o.venv
	if e.dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return e, fmt.Errorf("-venv: %w", err)
		}
		e.dir = filepath.Join(cache, "accord-peers")
	}
	var err error
	if e.dir, err = filepath.Abs(e.dir); err != nil {
		return e, err
	}
	var needed []string
	for _, m := range wanted {
		needed = append(needed, m.needs...)
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
	packages, modules := contents(name)
	dir := filepath.Join(e.dir, name)
	// Imported rather than looked for: an installation may have been cut short.
	if !upgrade && e.do(ctx, exec.CommandContext(ctx, e.interpreter(name), "-c", "import "+modules), "looking for "+modules+" in "+dir) == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		return errors.New("the peers need Python: install python3 (3.10 or newer) with its venv module, on Debian and Ubuntu apt-get install python3-venv; or measure without peers: -only engine,odd,fold")
	}
	for _, c := range []struct {
		what, hint string
		command    []string
	}{
		{"making the environment " + dir, "is Python's venv module there? On Debian and Ubuntu: apt-get install python3-venv",
			[]string{python, "-m", "venv", dir}},
		{"installing " + strings.Join(packages, ", ") + "; this takes minutes and may take gigabytes", "pip's configuration says where it looks for packages: PIP_INDEX_URL, PIP_FIND_LINKS, PIP_PROXY",
			append([]string{e.interpreter(name), "-m", "pip", "install", "--upgrade"}, packages...)},
	} {
		cmd := exec.CommandContext(ctx, c.command[0], c.command[1:]...)
		cmd.Stdout, cmd.Stderr = e.log, e.log
		if err := e.do(ctx, cmd, c.what); err != nil {
			return fmt.Errorf("%s: %w; %s", strings.Join(c.command, " "), err, c.hint)
		}
	}
	return nil
}

func (e environments) interpreter(name string) string {
	if runtime.GOOS == "windows" {
		return filepath.Join(e.dir, name, "Scripts", "python.exe")
	}
	return filepath.Join(e.dir, name, "bin", "python")
}
