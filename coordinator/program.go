package coordinator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"regexp"
	"time"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/program"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// The files that an evaluation's program and Accord exchange, in the program's
// working folder, which the environment variable ACCORD_EVALUATION_DIR names
// too.
const (
	EvaluatedFile    = "model.safetensors" // in: the model to measure
	ResultFile       = "result.json"       // out: {"accuracy": 0…1, "loss": number}, the loss optional
	EvaluationDirVar = "ACCORD_EVALUATION_DIR"
)

const (
	maxResultFile = 4 << 10  // bytes of ResultFile
	probeBytes    = 64 << 10 // what there is room for on a disk that is not full
)

// Program is an Evaluator that has a program of the operator's own measure,
// whatever the model is. The model is never in memory.
type Program struct {
	Command []string // program and arguments
	Env     []string // more environment, "KEY=value"
	Dir     string   // where the folders are made; "" for the system's place
	Limit   time.Duration
	Disk    disk.Disk // that the program's files are on; nil: the operating system's
}

var _ Evaluator = (*Program)(nil)

// Evaluate implements Evaluator.
func (e *Program) Evaluate(ctx context.Context, _ *model.Spec, f *model.File) (m Measurement, err error) {
	p := program.Program{Command: e.Command, Env: e.Env, Limit: e.Limit, FolderVar: EvaluationDirVar}
	err = program.Folder(e.Dir, "evaluation-", func(dir string) error {
		if err := atomicfile.On(e.Disk).Write(filepath.Join(dir, EvaluatedFile), func(w io.Writer) error { return f.Contract().Write(w, f) }); err != nil {
			return fmt.Errorf("write the model to measure: %w", err)
		}
		if err := p.Run(ctx, dir); err != nil {
			return errors.Join(e.probe(ctx, dir), err)
		}
		data, err := p.Read(dir, ResultFile, maxResultFile)
		if err != nil {
			return err
		}
		if m, err = parseResult(data); err != nil {
			return fmt.Errorf("the program's %s: %w", ResultFile, err)
		}
		return nil
	})
	return m, err
}

// probe finds out whether the folder of a program that has failed can be written
// to: what the program says of a full disk is nothing that could be relied on. After
// such an error the program is run again.
func (e *Program) probe(ctx context.Context, dir string) error {
	if ctx.Err() != nil {
		return nil
	}
	return atomicfile.On(e.Disk).WriteBytes(filepath.Join(dir, "probe"), make([]byte, probeBytes))
}

// notNumbers are what Python's json module writes for losses that JSON has no
// word for.
var notNumbers = regexp.MustCompile(`("loss"\s*:\s*)(NaN|-?Infinity)\b`)

// parseResult reads {"accuracy": 0…1, "loss": number}. A loss of NaN, Infinity or
// -Infinity says that the model diverged.
func parseResult(data []byte) (m Measurement, err error) {
	diverged := notNumbers.Match(data)
	data = notNumbers.ReplaceAll(data, []byte("${1}0"))
	var result struct {
		Accuracy *float64 `json:"accuracy"`
		Loss     *float64 `json:"loss"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&result); err != nil {
		return m, fault.Inputf("want one JSON object with accuracy and loss: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return m, fault.Inputf("want one JSON object and nothing after it")
	}
	switch {
	case diverged:
		return Measurement{Test: &train.Evaluation{Loss: math.NaN()}}, nil
	case result.Accuracy == nil || *result.Accuracy < 0 || *result.Accuracy > 1:
		return m, fault.Inputf("accuracy: want a number from 0 to 1")
	}
	m.Test = &train.Evaluation{Accuracy: *result.Accuracy, Loss: math.NaN()}
	if m.NoLoss = result.Loss == nil; !m.NoLoss {
		m.Test.Loss = *result.Loss
	}
	return m, nil
}
