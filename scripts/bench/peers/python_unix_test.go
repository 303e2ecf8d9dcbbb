//go:build unix

package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakePython makes environments whose interpreter is a shell script.
func fakePython(t *testing.T, script string) environments {
	t.Helper()
	dir := t.TempDir()
	e := environments{dir: dir, scripts: dir, home: dir, log: t.Output()}
	executable(t, e.interpreter(torch), script)
	return e
}

func executable(t *testing.T, path, script string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestRunScript(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"last line":  {`echo a warning; echo '{"version": "1.2", "samples_per_second": 7}'`, ""},
		"surrounded": {`[ "$PYTHONPATH" = "$HOME" ] && [ "$PWD" -ef "$HOME" ] && echo '{"version": "1.2", "samples_per_second": 7}'`, ""},
		"failure":    {`echo no memory >&2; exit 3`, "exit status 3\nno memory"},
		"silence":    {``, "torch_step.py: unexpected end of JSON input"},
		"noise":      {`echo done`, `in "done"`},
		"no version": {`echo '{"samples_per_second": 7}'`, "no version"},
	} {
		var p peer
		_, err := fakePython(t, c.script).run(t.Context(), &p, torch, "torch_step.py", "--threads", "2")
		switch {
		case c.want != "":
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got error %v, want %q", name, err, c.want)
			}
		case err != nil || p.Version != "1.2" || p.SamplesPerSecond != 7:
			t.Errorf("%s: got %+v, %v", name, p, err)
		}
	}
}

// What a script leaves in --out wins over its noise, and must not be there when
// the next go fails to write it.
func TestRunScriptReadsOut(t *testing.T) {
	e := fakePython(t, `echo noise; [ -e "$HOME/once" ] || echo '{"version": "1.2", "rounds": [{"seconds": 3}]}' >"$3"; touch "$HOME/once"`)
	out := filepath.Join(e.home, "out.json")
	var p peer
	if _, err := e.run(t.Context(), &p, torch, "flower_rounds.py", "--out", out); err != nil || len(p.Rounds) != 1 || p.Rounds[0].Seconds != 3 {
		t.Errorf("got %+v, %v", p, err)
	}
	if _, err := e.run(t.Context(), &p, torch, "flower_rounds.py", "--out", out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v, want that there is no file", err)
	}
}

// A peer's workers end with it, even those that do not hear an interrupt.
func TestCancellationEndsWorkers(t *testing.T) {
	e := fakePython(t, `trap 'touch "$HOME/heard"; exit 1' INT
(trap '' INT; exec sleep 600) >/dev/null 2>&1 &
echo $! >"$HOME/worker.tmp"; mv "$HOME/worker.tmp" "$HOME/worker"
wait`)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		var p peer
		_, err := e.run(ctx, &p, torch, "flower_rounds.py")
		failed <- err
	}()
	worker, limit := 0, time.Now().Add(30*time.Second)
	for worker == 0 {
		if data, err := os.ReadFile(filepath.Join(e.home, "worker")); err == nil {
			if worker, err = strconv.Atoi(strings.TrimSpace(string(data))); err != nil {
				t.Fatal(err)
			}
		}
		if time.Now().After(limit) {
			t.Fatal("the script did not start")
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want that it was cancelled", err)
	}
	if _, err := os.Stat(filepath.Join(e.home, "heard")); err != nil {
		t.Errorf("the script was not interrupted: %v", err)
	}
	for alive(worker) {
		if time.Now().After(limit) {
			t.Fatal("the worker lives on")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// alive reports whether a process runs. A killed one that nobody has waited for
// yet does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

func TestInstall(t *testing.T) {
	// python3 makes an environment whose interpreter notes what it is asked.
	const python3 = `dir="$3"
mkdir -p "$dir/bin"
printf '#!/bin/sh\necho "$@" >>"%s/asked"\n' "$dir" >"$dir/bin/python"
chmod +x "$dir/bin/python"`
	bin := t.TempDir()
	executable(t, filepath.Join(bin, "python3"), python3)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	wanted, err := choose("round,fold")
	if err != nil {
		t.Fatal(err)
	}
	venv := filepath.Join(t.TempDir(), "made", "on the way")
	prepareIn := func(upgrade bool) string {
		t.Helper()
		if _, err := prepare(t.Context(), options{venv: venv, upgrade: upgrade}, wanted, environments{log: t.Output()}); err != nil {
			t.Fatal(err)
		}
		asked, err := os.ReadFile(filepath.Join(venv, torch, "asked"))
		if err != nil {
			t.Fatal(err)
		}
		return string(asked)
	}
	const pip, look = "-m pip install --upgrade torch numpy flwr[simulation]\n", "-c import torch, numpy, flwr, ray\n"
	if got := prepareIn(false); got != pip {
		t.Errorf("the first time: got %q, want %q", got, pip)
	}
	if got := prepareIn(false); got != pip+look {
		t.Errorf("once more: got %q, want %q", got, pip+look)
	}
	if got := prepareIn(true); got != pip+look+pip {
		t.Errorf("upgraded: got %q, want %q", got, pip+look+pip)
	}
	if _, err := os.Stat(filepath.Join(venv, keras)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an environment that nothing needs: got %v, want none", err)
	}
}

func TestInstallSaysWhatIsMissing(t *testing.T) {
	system := os.Getenv("PATH")
	for name, c := range map[string]struct{ python3, want string }{
		"no python": {"", "install python3"},
		"no venv":   {"exit 1", "apt-get install python3-venv"},
		"no pip":    {`mkdir -p "$3/bin"; printf '#!/bin/sh\nexit 1\n' >"$3/bin/python"; chmod +x "$3/bin/python"`, "PIP_INDEX_URL"},
	} {
		bin := t.TempDir()
		path := bin
		if c.python3 != "" {
			executable(t, filepath.Join(bin, "python3"), c.python3)
			path += ":" + system
		}
		t.Setenv("PATH", path)
		e := environments{dir: t.TempDir(), log: t.Output()}
		if err := e.install(t.Context(), keras, false); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", name, err, c.want)
		}
	}
}
