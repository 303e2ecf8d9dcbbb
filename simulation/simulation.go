package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/aggregation"
	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// Site is a virtual participant and its private data.
type Site struct {
	Name string
	Data train.Data
}

// Options describe a simulated federation.
type Options struct {
	// Definition of the run. Contract, MinSites, Window and Retries are
	// filled in: the spec's, all sites, no deadline and none, for there is no
	// network, and a virtual site that failed fails alike when asked again.
	Definition coordinator.Definition
	Sites      []Site
	Test       train.Data // nil: accuracy is not measured
	Validation train.Data // nil: there is none
	// Initial weights; nil: drawn by the seed.
	Initial *model.Params
	// Strategy replaces the one that the definition names.
	Strategy *aggregation.Strategy
	// Threads that train, each a site of its own; 0: one for each core.
	Threads int
	// Dir gets the journal and, while the run lasts, the artefacts. A run
	// that was interrupted there goes on; one that has ended is an error of
	// class fault.Exists.
	Dir string

	Publisher coordinator.Publisher          // nil: versions stay inside
	Observe   func(round.State, round.Event) // see coordinator.Options
	// Progress hears of every step of every site's training, from Threads
	// goroutines; nil: nobody does.
	Progress func(site string, p train.Progress)
	Log      *zap.Logger // nil: silent
}

// Result of a simulated run.
type Result struct {
	State   round.State   // how the run ended
	Version round.Version // the one to hand out: round.State.Candidate
	Model   *model.Params // of that version
}

// endless is longer than any simulation: virtual sites are slow, never lost.
const endless = 10 * 365 * 24 * time.Hour

// Run simulates until the run has ended. A run that failed is an error. When
// ctx ends before, its error is returned, what was published stays, and Run
// with the same options goes on.
func Run(ctx context.Context, o Options) (Result, error) {
	if err := o.prepare(); err != nil {
		return Result{}, err
	}
	store, err := journal.OpenFile(o.journal())
	if err != nil {
		return Result{}, err
	}
	result, err := o.run(ctx, store)
	ended := err == nil || errors.Is(err, fault.Exists)
	if err = errors.Join(err, store.Close()); !ended {
		return result, err
	}
	// The journal stays as the record; the artefacts have served.
	return result, errors.Join(err, os.RemoveAll(o.spool()), os.Remove(o.journal()+".lock"))
}

func (o *Options) spool() string   { return filepath.Join(o.Dir, "spool") }
func (o *Options) journal() string { return filepath.Join(o.Dir, "journal.jsonl") }

// prepare checks the options and fills in what is left to the simulation.
func (o *Options) prepare() error {
	d := &o.Definition
	switch {
	case len(o.Sites) == 0:
		return fault.Inputf("simulation: there are no sites")
	case d.Spec == nil:
		return fault.Inputf("simulation: the run needs a spec")
	case o.Threads < 0 || o.Threads > train.MaxThreads:
		return fault.Inputf("simulation: threads: got %d, want 1 to %d, or 0 for one a core", o.Threads, train.MaxThreads)
	}
	if err := checkSites(o.Sites); err != nil {
		return err
	}
	d.Contract = d.Spec.Contract()
	d.MinSites = len(o.Sites)
	d.Window = round.Window{Deadline: endless}
	d.Retries = 0
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if err := d.Validate(); err != nil {
		return err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return fmt.Errorf("simulation: %w", err)
	}
	return nil
}

func checkSites(sites []Site) error {
	seen := map[string]bool{}
	for _, s := range sites {
		switch {
		case !exchange.ValidName(s.Name):
			return fault.Inputf("simulation: site name %.80q is not valid: letters, digits, '.', '_' and '-', at most 64", s.Name)
		case seen[s.Name]:
			return fault.Inputf("simulation: two sites are named %s", s.Name)
		case s.Data == nil || s.Data.Len() == 0:
			return fault.Inputf("simulation: site %s has no data", s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

// run drives a coordinator until the run has ended or ctx has.
func (o *Options) run(ctx context.Context, store journal.Store) (_ Result, err error) {
	blobs, err := spool.Open(o.spool(), spool.Options{})
	if err != nil {
		return Result{}, err
	}
	tests := &coordinator.TestSet{Test: o.Test, Validation: o.Validation, Threads: 1}
	if o.Definition.StopAt > 0 {
		// Nobody trains meanwhile, so that all threads are free to measure.
		tests.Threads = o.Threads
	}
	defer tests.Close()
	if err := tests.Suits(o.Definition.Spec); err != nil {
		return Result{}, err
	}
	options := coordinator.Options{
		Journal: store, Spool: blobs, Log: o.Log.Named("coordinator"), Evaluator: tests,
		Publisher: o.Publisher, KeepBest: true, Observe: o.Observe, Grace: coordinator.DefaultGrace,
	}
	if o.Strategy != nil {
		options.Strategy = func(coordinator.Definition) (aggregation.Strategy, error) { return *o.Strategy, nil }
	}
	c, err := coordinator.New(ctx, options)
	if err != nil {
		return Result{}, err
	}
	if s, err := c.State(o.Definition.Name); err == nil && s.Phase.Final() {
		why := ""
		if s.Reason != "" {
			why = ": " + s.Reason
		}
		return Result{State: s}, fault.As(fault.Exists, fmt.Errorf("simulation: the run in %s has ended already: %s after %d versions%s", o.Dir, s.Phase, s.Published.Len(), why))
	}
	inner, cancel := context.WithCancel(ctx)
	driven := make(chan error, 1)
	go func() { driven <- c.Run(inner) }()
	crew := o.hire(inner, c, blobs)
	state, err := o.await(inner, c)
	cancel()
	crew.close()
	if err := errors.Join(<-driven, err, ctx.Err()); err != nil {
		return Result{State: state}, err
	}
	return o.result(state, blobs)
}

// await submits the run, unless the journal has it, and waits for its end.
func (o *Options) await(ctx context.Context, c *coordinator.Coordinator) (round.State, error) {
	name := o.Definition.Name
	known, err := c.Definition(name)
	switch {
	case errors.Is(err, coordinator.ErrNoRun):
		err = o.submit(ctx, c)
	case err == nil && !known.Equal(o.Definition):
		err = fault.Inputf("simulation: %s holds another run named %s: its definition differs", o.Dir, name)
	}
	if err != nil {
		return round.State{}, err
	}
	for seq := uint64(0); ; {
		state, last, err := c.Since(ctx, name, seq)
		if err != nil { // whatever it was that ended it early, Run and ctx say so
			return c.State(name)
		}
		if state.Phase.Final() {
			return state, nil
		}
		seq = last
	}
}

func (o *Options) submit(ctx context.Context, c *coordinator.Coordinator) error {
	if o.Initial == nil {
		return c.Submit(ctx, o.Definition, nil, 0)
	}
	var file bytes.Buffer
	if err := o.Initial.Write(&file); err != nil {
		return fmt.Errorf("simulation: %w", err)
	}
	return c.Submit(ctx, o.Definition, bytes.NewReader(file.Bytes()), int64(file.Len()))
}

// result reads the version to hand out.
func (o *Options) result(state round.State, blobs *spool.Spool) (_ Result, err error) {
	switch state.Phase {
	case round.Failed:
		return Result{State: state}, fmt.Errorf("run %s failed in round %d: %s", state.Run, state.Round, state.Reason)
	case round.Diverged:
		return Result{State: state}, fault.As(fault.Diverged, fmt.Errorf("run %s diverged in round %d: %s", state.Run, state.Round, state.Reason))
	}
	best, ok := state.Candidate()
	if !ok {
		return Result{State: state}, nil // stopped before anything was published
	}
	b, err := blobs.Open(best.Model)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	p, err := model.ReadParams(b, b.Size(), o.Definition.Contract)
	return Result{State: state, Version: best, Model: p}, err
}
