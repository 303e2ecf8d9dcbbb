package trainer

import (
	"context"

	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// Pool lends out a fixed number of training engines, so that many sites can
// share a few. An engine is built when it is first needed and built again when
// a task brings another network. All methods may be called concurrently.
type Pool struct {
	threads int
	slots   chan *slot // the idle ones
	size    int
}

type slot struct {
	spec   string // hash of the network that engine trains
	engine *train.Engine
}

// NewPool returns a pool of engines of so many threads each. Both are at
// least 1. Close releases it.
func NewPool(engines, threads int) *Pool {
	p := &Pool{threads: threads, slots: make(chan *slot, engines), size: engines}
	for range engines {
		p.slots <- &slot{}
	}
	return p
}

// Acquire waits for an engine that trains spec. The caller has it alone until
// it calls release, once.
func (p *Pool) Acquire(ctx context.Context, spec *model.Spec) (engine *train.Engine, release func(), err error) {
	var s *slot
	select {
	case s = <-p.slots:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if err := s.prepare(spec, p.threads); err != nil {
		p.slots <- s
		return nil, nil, err
	}
	return s.engine, func() { p.slots <- s }, nil
}

// prepare makes the slot's engine one for spec.
func (s *slot) prepare(spec *model.Spec, threads int) error {
	hash := spec.Hash()
	if s.engine != nil && s.spec == hash {
		return nil
	}
	network, err := model.NewNetwork(spec)
	if err != nil {
		return err
	}
	engine, err := train.NewEngine(network, threads)
	if err != nil {
		return err
	}
	s.close()
	s.engine, s.spec = engine, hash
	return nil
}

func (s *slot) close() {
	if s.engine != nil {
		s.engine.Close()
		s.engine = nil
	}
}

// Close waits until every engine is back and closes them all. The pool must
// not be used any more.
func (p *Pool) Close() {
	for range p.size {
		(<-p.slots).close()
	}
}
