package coordinator

import (
	"context"
	"fmt"
	"sync"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// TestSet is an Evaluator that measures with the built-in engine. It keeps
// the engine of the spec that it measured last.
type TestSet struct {
	Test       train.Data // nil: not measured
	Validation train.Data // nil: there is none
	Threads    int        // at least 1

	mu     sync.Mutex
	spec   string // hash of the engine's
	engine *train.Engine
}

var _ Evaluator = (*TestSet)(nil)

// Evaluate implements Evaluator. It measures nothing of a model whose network
// is not known.
func (t *TestSet) Evaluate(ctx context.Context, spec *model.Spec, f *model.File) (Measurement, error) {
	if spec == nil || t.Test == nil && t.Validation == nil {
		return Measurement{}, nil
	}
	p, err := f.Params()
	if err != nil {
		return Measurement{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.prepare(spec); err != nil {
		return Measurement{}, err
	}
	var m Measurement
	for _, part := range []struct {
		data train.Data
		into **train.Evaluation
	}{{t.Test, &m.Test}, {t.Validation, &m.Validation}} {
		if part.data == nil {
			continue
		}
		e, err := t.engine.Evaluate(ctx, p, part.data)
		if err != nil {
			return Measurement{}, err
		}
		*part.into = &e
	}
	return m, nil
}

// Suits reports whether a model of this spec can be measured on the sets.
func (t *TestSet) Suits(spec *model.Spec) error {
	for _, data := range []train.Data{t.Test, t.Validation} {
		switch {
		case data == nil:
		case spec.Input != data.Shape():
			return fault.Inputf("the model takes images of %v (height, width, channels), the test set has %v", spec.Input, data.Shape())
		case data.Classes() > spec.Classes():
			return fault.Inputf("the model tells %d classes apart, the test set has %d", spec.Classes(), data.Classes())
		}
	}
	return nil
}

func (t *TestSet) prepare(spec *model.Spec) error {
	if err := t.Suits(spec); err != nil {
		return err
	}
	if t.engine != nil && t.spec == spec.Hash() {
		return nil
	}
	network, err := model.NewNetwork(spec)
	if err != nil {
		return fmt.Errorf("evaluate: %w", err)
	}
	engine, err := train.NewEngine(network, t.Threads)
	if err != nil {
		return fmt.Errorf("evaluate: %w", err)
	}
	if t.engine != nil {
		t.engine.Close()
	}
	t.engine, t.spec = engine, spec.Hash()
	return nil
}

// Close releases the engine.
func (t *TestSet) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.engine != nil {
		t.engine.Close()
		t.engine = nil
	}
}
