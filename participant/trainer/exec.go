package trainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/model"
)

// The files that the program and Accord exchange, in the program's working
// folder, which the environment variable ACCORD_TASK_DIR names too.
const (
	TaskFile    = "task.json"          // in: the exchange.Task
	GlobalFile  = "global.safetensors" // in: the model to start from
	UpdateFile  = "update.safetensors" // out: the trained weights, whole, in the contract's tensors
	MetricsFile = "metrics.json"       // out: {"samples": n, "steps": n, more numbers}
	TaskDirVar  = "ACCORD_TASK_DIR"
)

// grace is how long a program that was killed, or that left children behind,
// may hold its output open.
const grace = 5 * time.Second

// Exec trains with a program of the site's own. For each task it makes a
// fresh folder with TaskFile and GlobalFile, runs the program, and reads
// UpdateFile and MetricsFile from the folder; then the folder goes.
//
// The program runs in that folder and sees only the environment variables
// PATH, HOME, LANG, TMPDIR, ACCORD_TASK_DIR and Env, where the last wins. It
// succeeds by exiting with status 0. It is killed, with all processes of its
// group, when the time limit passes or the task is cancelled; what it has
// started and not ended is killed when it exits.
type Exec struct {
	Command []string // program and arguments
	Env     []string // more environment, "KEY=value"
	Dir     string   // where the task folders are made; "" for the system's place
	Limit   time.Duration
}

// Train has the program train and passes its weights to done. What the program
// gives is checked like any input: an error names the file and what is wrong.
// The model is never in memory.
func (e *Exec) Train(ctx context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (_ Result, err error) {
	dir, err := os.MkdirTemp(e.Dir, "task-")
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return Result{}, fmt.Errorf("make the task's folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	if err := writeInputs(dir, t, global); err != nil {
		return Result{}, fmt.Errorf("write the task's files: %w", err)
	}
	if err := e.run(ctx, dir); err != nil {
		return Result{}, err
	}
	return readOutputs(dir, t.Contract, done)
}

func writeInputs(dir string, t exchange.Task, global *model.File) error {
	doc, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, TaskFile), doc, 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, GlobalFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(t.Contract.Write(f, global), f.Close())
}

// run runs the program to its end.
func (e *Exec) run(ctx context.Context, dir string) error {
	limited, cancel := context.WithTimeout(ctx, e.Limit)
	defer cancel()
	cmd := exec.CommandContext(limited, e.Command[0], e.Command[1:]...)
	cmd.Dir, cmd.Env = dir, e.environment(dir)
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
		return fmt.Errorf("%s: stopped: %w", e.Command[0], context.Cause(ctx))
	case limited.Err() != nil:
		return fmt.Errorf("%s: killed after the time limit of %v%s", e.Command[0], e.Limit, lastWords(&stdout, &stderr))
	case errors.As(err, &exit):
		return fmt.Errorf("%s: %w%s", e.Command[0], exit, lastWords(&stdout, &stderr))
	default:
		return fmt.Errorf("start %s: %w", e.Command[0], err)
	}
}

func (e *Exec) environment(dir string) []string {
	var env []string
	for _, key := range []string{"PATH", "HOME", "LANG", "TMPDIR"} {
		if value, ok := os.LookupEnv(key); ok {
			env = append(env, key+"="+value)
		}
	}
	env = append(env, e.Env...)
	return append(env, TaskDirVar+"="+dir)
}
