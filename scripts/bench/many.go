package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/accord-fl/accord/scripts/bench/internal/crowd"
	"github.com/accord-fl/accord/scripts/bench/internal/federation"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// A crowd of sites that only speak the wire, in several processes: each has a limit
// of descriptors.
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
	r, err := b.roundsOfMany(f)
	if err != nil {
		return nil, err
	}
	back, err := b.comeBack(f)
	if err != nil {
		return nil, err
	}
	const command = "go run ./scripts/bench -only many"
	return []page.Row{{
		What: fmt.Sprintf("%d sites that only speak the wire (they train nothing and keep nothing), each with its own certificate and TLS connection: the coordinator's memory", manyProcesses*manyEach),
		Bar:  "< 1.5 GiB", Figure: fmt.Sprintf("%.0f MiB", float64(memory)/(1<<20)), Holds: memory < 3<<29, Command: command,
	}, {
		What: fmt.Sprintf("the same: a round with %d of them, reference model, durable, all on one machine, median of %d", manySelected, manyRounds-1), Bar: "< 2 s",
		Figure: fmt.Sprintf("%.1f s (%.1f to %.1f); on all processors %.1f s for the coordinator alone and %.1f s for the sites",
			middle(r.took).Seconds(), slices.Min(r.took).Seconds(), slices.Max(r.took).Seconds(), share(r.coordinator), share(r.sites)),
		Holds: middle(r.took) < 2*time.Second, Command: command,
	}, {
		What: "the same: until all are back after the coordinator was killed and started again", Bar: "< 15 s",
		Figure: fmt.Sprintf("%.1f s", back.Seconds()), Holds: back < 15*time.Second, Command: command,
	}}, nil
}

// share is how long all processors together take in a round for what one computes
// in all rounds, in seconds.
func share(processor time.Duration) float64 {
	return processor.Seconds() / manyRounds / float64(runtime.NumCPU())
}

// manyTimes are those of a crowd's rounds.
type manyTimes struct {
	took               []time.Duration // each round but the first
	coordinator, sites time.Duration   // of processor, in all rounds
}

// roundsOfMany has a crowd do its rounds.
func (b *bench) roundsOfMany(f *federation.Federation) (t manyTimes, err error) {
	coordinator, sites, err := processors(f)
	if err != nil {
		return t, err
	}
	const all = manyProcesses * manyEach
	if err := f.Submit(fmt.Sprintf("name: many\nmodel: reference\nrounds: %d\nmin_sites: %d\nfraction: %v\n", manyRounds, all, float64(manySelected)/all)); err != nil {
		return t, err
	}
	if _, err := f.Coordinator.Await(b.ctx, "run ended", 0); err != nil {
		return t, err
	}
	if t.coordinator, t.sites, err = processors(f); err != nil {
		return t, err
	}
	t.coordinator -= coordinator
	t.sites -= sites
	published := f.Coordinator.Entries("version published")
	if len(published) != manyRounds {
		return t, fmt.Errorf("%d rounds of %d were published", len(published), manyRounds)
	}
	for i := 1; i < manyRounds; i++ {
		t.took = append(t.took, published[i].Time.Sub(published[i-1].Time))
	}
	return t, whole(f)
}

// processors is how long the coordinator and all sites have computed.
func processors(f *federation.Federation) (coordinator, sites time.Duration, err error) {
	if coordinator, err = f.Coordinator.Processor(); err != nil {
		return 0, 0, err
	}
	for _, p := range f.Sites {
		one, err := p.Processor()
		if err != nil {
			return 0, 0, err
		}
		sites += one
	}
	return coordinator, sites, nil
}

// whole makes sure that the rounds were what they are measured as: all tasks were
// answered, all answers accepted, and nobody was cut off.
func whole(f *federation.Federation) error {
	run, err := f.Run("many")
	if err != nil {
		return err
	}
	if want := (federation.Counts{Accepted: manyRounds * manySelected}); run.Counts != want {
		return fmt.Errorf("the answers of the run, which is %s (%s), are %+v, want %+v", run.Phase, run.Reason, run.Counts, want)
	}
	for name, p := range f.Sites {
		if ended := p.Entries(crowd.Ended); len(ended) > 0 {
			return fmt.Errorf("%d attendances of process %s ended, the first because: %s", len(ended), name, ended[0].Reason)
		}
	}
	return nil
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
		again, err := b.allBack(p)
		if err != nil {
			return 0, err
		}
		if again.After(last) {
			last = again
		}
	}
	return last.Sub(ready.Time), nil
}

// allBack waits until all sites of a process attend after their attendances have
// ended, and returns when the last one came.
func (b *bench) allBack(p *federation.Process) (time.Time, error) {
	for ended := manyEach; ; {
		last, err := p.Await(b.ctx, crowd.Began, manyEach+ended-1)
		if err != nil {
			return time.Time{}, err
		}
		now := len(p.Entries(crowd.Ended))
		if now == ended {
			return last.Time, nil
		}
		ended = now // somebody came and was cut off again
	}
}
