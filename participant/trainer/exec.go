package trainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/program"
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

// Exec trains with a program of the site's own. For each task it makes a
// fresh folder with TaskFile and GlobalFile, runs the program, and reads
// UpdateFile and MetricsFile from the folder; then the folder goes.
//
// How it is run, and what it sees, package internal/program says.
type Exec struct {
	Command []string // program and arguments
	Env     []string // more environment, "KEY=value"
	Dir     string   // where the task folders are made, made when needed; "" for the system's place
	Limit   time.Duration
}

// Train has the program train and passes its weights to done. What the program
// gives is checked like any input: an error names the file and what is wrong.
// The model is never in memory. When the disk does not take the task's files the
// error wraps ErrDisk.
func (e *Exec) Train(ctx context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (result Result, err error) {
	p := program.Program{Command: e.Command, Env: e.Env, Limit: e.Limit, FolderVar: TaskDirVar}
	begun := false
	if e.Dir != "" {
		if err := os.MkdirAll(e.Dir, 0o755); err != nil {
			return Result{}, onDisk(fmt.Errorf("make the folder of tasks: %w", err))
		}
	}
	err = program.Folder(e.Dir, "task-", func(dir string) error {
		if err := writeInputs(dir, t, global); err != nil {
			return fmt.Errorf("write the task's files: %w", err)
		}
		begun = true
		if err := p.Run(ctx, dir); err != nil {
			return err
		}
		result, err = readOutputs(p, dir, t.Contract, done)
		return err
	})
	if !begun {
		err = onDisk(err)
	}
	return result, err
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
