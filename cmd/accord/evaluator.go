package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
)

// evaluator has each model measured by what can: the test set where the
// network is known and there is one, else the operator's program.
type evaluator struct {
	tests   *testSet
	program *coordinator.Program
}

var _ coordinator.Evaluator = evaluator{}

// Evaluate implements coordinator.Evaluator.
func (e evaluator) Evaluate(ctx context.Context, spec *model.Spec, f *model.File) (coordinator.Measurement, error) {
	if spec != nil && e.tests.Test != nil {
		return e.tests.Evaluate(ctx, spec, f)
	}
	return e.program.Evaluate(ctx, spec, f)
}

// evaluatorOf returns what measures versions; nil when nothing does. What a
// crash left of earlier evaluations goes.
func evaluatorOf(cfg config.Coordinator, tests *testSet) (coordinator.Evaluator, error) {
	if cfg.Evaluator.IsZero() {
		if tests.Test == nil {
			return nil, nil
		}
		return tests, nil
	}
	dir := filepath.Join(cfg.Dir, "evaluations")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return nil, fault.As(fault.Input, err)
	}
	return evaluator{tests, &coordinator.Program{
		Command: cfg.Evaluator.Command, Env: cfg.Evaluator.Variables(), Dir: dir, Limit: cfg.Evaluator.Timeout,
	}}, nil
}
