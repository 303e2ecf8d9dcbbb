// Package accord runs the binary that is measured.
package accord

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

// Binary is a fresh build of accord.
type Binary struct {
	Path string
	Dir  string // scratch, in which it runs
}

// Build makes a binary of the module that the working directory is the root of.
// Remove it when done.
func Build(ctx context.Context) (*Binary, error) {
	dir, err := os.MkdirTemp("", "accord-bench-")
	if err != nil {
		return nil, err
	}
	b := &Binary{Dir: dir, Path: filepath.Join(dir, "accord")}
	build := exec.CommandContext(ctx, "go", "build", "-o", b.Path, "./cmd/accord")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build accord: %w", errors.Join(ctx.Err(), err, b.Remove()))
	}
	return b, nil
}

// Remove removes the binary and all that it left in Dir.
func (b *Binary) Remove() error { return os.RemoveAll(b.Dir) }

// Run runs the binary, with further variables in its environment, and returns
// what it prints, and how long it took. It says on stderr what it runs.
func (b *Binary) Run(ctx context.Context, env []string, args ...string) (out []byte, elapsed time.Duration, err error) {
	command := line(args)
	fmt.Fprintln(os.Stderr, "+", strings.Join(append(slices.Clone(env), command), " "))
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, b.Path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.Dir, &stdout, &stderr
	cmd.Env = append(os.Environ(), env...)
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return nil, 0, fmt.Errorf("%s: %w\n%s", command, errors.Join(ctx.Err(), err), stderr.String())
	}
	return stdout.Bytes(), time.Since(begin), nil
}

// line is the command line, of which only the first arguments are told when there
// are hundreds.
func line(args []string) string {
	const told = 40
	if more := len(args) - told; more > 0 {
		args = append(slices.Clone(args[:told]), fmt.Sprintf("… and %d more", more))
	}
	return "accord " + strings.Join(args, " ")
}

// JSON runs a verb with --json and decodes what it prints.
func (b *Binary) JSON(ctx context.Context, into any, env []string, args ...string) error {
	out, _, err := b.Run(ctx, env, append(args, "--json")...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("accord %s: %w", args[0], err)
	}
	return nil
}
