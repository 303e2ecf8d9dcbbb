// Package program runs a program of the user's own that takes files and leaves
// files in a folder. The program sees little of this process: a cleared
// environment and its folder; it is killed with all that it has started when
// its time is over. What it leaves is input like any other.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/accord-fl/accord/internal/fault"
)

// Program is a command, run once for each folder.
//
// It runs in the folder and sees only the environment variables PATH, HOME,
// LANG, TMPDIR, FolderVar and Env, where the last wins. It succeeds by exiting
// with status 0. It is killed, with all processes of its group, when the time
// limit passes or the context ends; what it has started and not ended is killed
// when it exits.
type Program struct {
	Command   []string // program and arguments
	Env       []string // more environment, "KEY=value"
	Limit     time.Duration
	FolderVar string // environment variable that names the folder
}

// grace is how long a program that was killed, or that left children behind,
// may hold its output open.
const grace = 5 * time.Second

// Folder makes a fresh folder in parent, or in the system's place when that is
// empty, has use fill, run and read it, and removes it.
func Folder(parent, pattern string, use func(dir string) error) (err error) {
	dir, err := os.MkdirTemp(parent, pattern)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return fmt.Errorf("make the program's folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return use(dir)
}

// Run runs the program in dir to its end.
func (p Program) Run(ctx context.Context, dir string) error {
	limited, cancel := context.WithTimeout(ctx, p.Limit)
	defer cancel()
	cmd := exec.CommandContext(limited, p.Command[0], p.Command[1:]...)
	cmd.Dir, cmd.Env = dir, p.environment(dir)
	cmd.WaitDelay = grace
	var stdout, stderr tail
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ownGroup(cmd)

	err := cmd.Run()
	if cmd.Process != nil {
		killGroup(cmd) // children that it left behind
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well; only such children held its output open
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: stopped: %w", p.Command[0], context.Cause(ctx))
	case limited.Err() != nil:
		return fmt.Errorf("%s: killed after the time limit of %v%s", p.Command[0], p.Limit, lastWords(&stdout, &stderr))
	case errors.As(err, &exit):
		return fmt.Errorf("%s: %w%s", p.Command[0], exit, lastWords(&stdout, &stderr))
	default:
		return fmt.Errorf("start %s: %w", p.Command[0], err)
	}
}

func (p Program) environment(dir string) []string {
	var env []string
	for _, key := range []string{"PATH", "HOME", "LANG", "TMPDIR"} {
		if value, ok := os.LookupEnv(key); ok {
			env = append(env, key+"="+value)
		}
	}
	env = append(env, p.Env...)
	return append(env, p.FolderVar+"="+dir)
}

// Output opens the file called name that the program was to leave in dir. The
// caller closes it.
func (p Program) Output(dir, name string) (*os.File, int64, error) {
	path := filepath.Join(dir, name)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, fault.Inputf("the program ended well but wrote no %s into $%s", name, p.FolderVar)
	case err != nil:
		return nil, 0, fmt.Errorf("the program's %s: %w", name, err)
	case !info.Mode().IsRegular():
		return nil, 0, fault.Inputf("the program's %s is not a regular file", name)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("the program's %s: %w", name, err)
	}
	return f, info.Size(), nil
}

// Read reads a small file, of at most limit bytes, that the program was to
// leave in dir.
func (p Program) Read(dir, name string, limit int64) (_ []byte, err error) {
	f, size, err := p.Output(dir, name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	if size > limit {
		return nil, fault.Inputf("the program's %s: %d bytes, at most %d", name, size, limit)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, fmt.Errorf("the program's %s: %w", name, err)
	}
	return data, nil
}
