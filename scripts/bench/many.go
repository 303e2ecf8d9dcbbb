package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/accord-fl/accord/scripts/bench/internal/federation"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// A crowd of sites, in several processes: each has a limit of descriptors.
const (
	manyProcesses = 4
	manyEach      = 2500
	manySelected  = 1000 // in a round
	manyRounds    = 6
)

// many is about sites by the thousand, each with its own certificate and TLS
// connection.
func (b *bench) many() (_ []page.Row, err error) {
	f, err := federation.Start(b.ctx, b.accord)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for i := range manyProcesses {
		if err := f.JoinMany(fmt.Sprintf("crowd%d", i), manyEach); err != nil {
			return nil, err
		}
	}
	memory, err := f.Coordinator.Memory()
	if err != nil {
		return nil, err
	}
	before, err := f.Coordinator.Processor()
	if err != nil {
		return nil, err
	}
	const all = manyProcesses * manyEach
	if err := f.Submit(fmt.Sprintf("name: many\nmodel: reference\nrounds: %d\nmin_sites: %d\nfraction: %v\n", manyRounds, all, float64(manySelected)/all)); err != nil {
		return nil, err
	}
	if _, err := f.Coordinator.Await(b.ctx, "run ended", 0); err != nil {
		return nil, err
	}
	after, err := f.Coordinator.Processor()
	if err != nil {
		return nil, err
	}
	published := f.Coordinator.Entries("version published")
	if len(published) != manyRounds {
		return nil, fmt.Errorf("%d rounds of %d were published", len(published), manyRounds)
	}
	var times []time.Duration
	for i := 1; i < manyRounds; i++ {
		times = append(times, published[i].Time.Sub(published[i-1].Time))
	}
	slices.Sort(times)
	back, err := b.comeBack(f)
	if err != nil {
		return nil, err
	}
	const command = "go run ./scripts/bench -only many"
	return []page.Row{{
		What: fmt.Sprintf("%d sites that attend over TLS, each with its own certificate: the coordinator's memory", all), Bar: "< 1.5 GiB",
		Figure: fmt.Sprintf("%.0f MiB", float64(memory)/(1<<20)), Holds: memory < 3<<29, Command: command,
	}, {
		What: fmt.Sprintf("the same: a round with %d of them, reference model, durable, all on one machine, median of %d", manySelected, manyRounds-1), Bar: "< 2 s",
		Figure: fmt.Sprintf("%.1f s (%.1f to %.1f); %.1f s for the coordinator alone, on all processors",
			middle(times).Seconds(), times[0].Seconds(), times[len(times)-1].Seconds(), (after-before).Seconds()/manyRounds/float64(runtime.NumCPU())),
		Holds: middle(times) < 2*time.Second, Command: command,
	}, {
		What: "the same: until all are back after the coordinator was killed and started again", Bar: "< 15 s",
		Figure: fmt.Sprintf("%.1f s", back.Seconds()), Holds: back < 15*time.Second, Command: command,
	}}, nil
}

// comeBack restarts the coordinator and returns how long it took from its first
// word until all sites attended again.
func (b *bench) comeBack(f *federation.Federation) (time.Duration, error) {
	if err := f.Restart(); err != nil {
		return 0, err
	}
	ready, err := f.Coordinator.Await(b.ctx, "coordinator ready", 0)
	if err != nil {
		return 0, err
	}
	var last time.Time
	for _, p := range f.Sites {
		again, err := p.Await(b.ctx, "attending", 2*manyEach-1)
		if err != nil {
			return 0, err
		}
		if again.Time.After(last) {
			last = again.Time
		}
	}
	return last.Sub(ready.Time), nil
}
