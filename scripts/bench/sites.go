package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"sync"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/trainer"
)

// attend has sites attend until leave, which returns the first error of any.
func attend(ctx context.Context, dir, address string, sites int) (leave func() error) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	failed := make(chan error, sites)
	for i := range sites {
		all.Go(func() {
			o := siteOptions(dir, address, fmt.Sprintf("site-%02d", i+1))
			if err := participant.Run(ctx, o, perturb{}, zap.NewNop()); err != nil {
				failed <- fmt.Errorf("site %s: %w", o.Name, err)
			}
		})
	}
	return func() error {
		cancel()
		all.Wait()
		close(failed)
		var errs []error
		for err := range failed {
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
}

func siteOptions(dir, address, name string) participant.Options {
	o := participant.DefaultOptions()
	o.Name, o.Coordinator, o.Insecure, o.Dir = name, address, true, filepath.Join(dir, name)
	o.Capabilities.Trainer = "exec"
	return o
}

// perturb is a trainer that changes every weight a little, each site and
// round in its own way.
type perturb struct{}

var _ participant.Trainer = perturb{}

// Train implements participant.Trainer.
func (perturb) Train(_ context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	h := fnv.New32a()
	fmt.Fprint(h, t.ID)
	return trainer.Result{Samples: 1, Steps: 1}, done(&perturbed{global: global, by: noise{h.Sum32()}})
}

// perturbed is the sum of a model and some noise. One goroutine may read it.
type perturbed struct {
	global model.Vector
	by     noise
	buffer []float32
}

// ReadAt implements model.Vector.
func (p *perturbed) ReadAt(dst []float32, off int) error {
	if len(p.buffer) < len(dst) {
		p.buffer = make([]float32, len(dst))
	}
	by := p.buffer[:len(dst)]
	if err := errors.Join(p.global.ReadAt(dst, off), p.by.ReadAt(by, off)); err != nil {
		return err
	}
	for i, x := range by {
		dst[i] += x
	}
	return nil
}
