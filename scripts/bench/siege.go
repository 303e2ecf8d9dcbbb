package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/accord-fl/accord/scripts/bench/internal/federation"
	"github.com/accord-fl/accord/scripts/bench/internal/flood"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// What a siege has to do with.
const (
	siegeSites  = 4
	siegeRounds = 100_000 // more than there is time for
	siegeLasts  = 8 * time.Second
	siegeRests  = 3 * time.Second // between two assaults
	siegeCalls  = 500 * time.Millisecond

	siegeMemory = 128 << 20 // bytes above rest, at most
	siegeAnswer = 2 * time.Second
	siegeSlower = 2.0 // times as long a round, at most
)

// besieged lets sites train, as fast as they can, while others wear a coordinator
// out, each way by itself.
func (b *bench) besieged() (_ []page.Row, err error) {
	f, err := federation.Start(b.ctx, b.accord)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for i := range siegeSites {
		if err := f.Join(fmt.Sprintf("site-%02d", i+1), f.Address, 0); err != nil {
			return nil, err
		}
	}
	s := flood.Siege{Address: f.Address, Site: "rogue"}
	if s.Stranger, s.Member, err = f.Hostile(s.Site); err != nil {
		return nil, err
	}
	run := fmt.Sprintf("name: siege\nmodel: reference\nrounds: %d\nmin_sites: %d\n", siegeRounds, siegeSites)
	if err := f.Submit(run); err != nil {
		return nil, err
	}
	if _, err := f.Coordinator.Await(b.ctx, "version published", 10); err != nil {
		return nil, err
	}
	quiet, err := b.endure(f, s, flood.Assault{Name: "at rest", Run: func(ctx context.Context, _ flood.Siege) int64 {
		<-ctx.Done()
		return 0
	}})
	if err != nil {
		return nil, err
	}
	rows := []page.Row{}
	for _, a := range flood.Assaults() {
		pause(b.ctx, siegeRests)
		loud, err := b.endure(f, s, a)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Name, err)
		}
		more := loud.peak - quiet.memory
		rows = append(rows, page.Row{
			What: fmt.Sprintf("%s (%d in %v): memory above rest, a round against one at rest, the slowest call of an admin", a.Name, loud.done, siegeLasts),
			Bar:  "≤ 128 MiB; ≤ 2 ×; ≤ 2 s",
			Figure: fmt.Sprintf("%.0f MiB; %s against %s; %.1f s; the coordinator computes %.0f %% of one processor, %.0f %% at rest", float64(more)/(1<<20),
				millis(loud.round), millis(quiet.round), loud.answer.Seconds(), 100*loud.computed.Seconds()/siegeLasts.Seconds(), 100*quiet.computed.Seconds()/siegeLasts.Seconds()),
			Holds:   more <= siegeMemory && float64(loud.round) <= siegeSlower*float64(quiet.round) && loud.answer <= siegeAnswer,
			Command: "go run ./scripts/bench -only siege",
		})
	}
	return rows, nil
}

// endured is how a coordinator fared.
type endured struct {
	memory, peak  int64         // at the beginning, and at most
	round, answer time.Duration // the middle one, and the slowest of an admin's calls
	computed      time.Duration // by the coordinator
	done          int64         // of what the assault is about
}

// endure measures a coordinator while it is assaulted.
func (b *bench) endure(f *federation.Federation, s flood.Siege, a flood.Assault) (e endured, err error) {
	if e.memory, err = f.Coordinator.Memory(); err != nil {
		return e, err
	}
	if err := f.Coordinator.ForgetPeak(); err != nil {
		return e, err
	}
	computed, err := f.Coordinator.Processor()
	if err != nil {
		return e, err
	}
	before := len(f.Coordinator.Entries("version published"))
	ctx, cancel := context.WithTimeout(b.ctx, siegeLasts)
	defer cancel()
	over := make(chan int64, 1)
	go func() { over <- a.Run(ctx, s) }()
	for ctx.Err() == nil {
		began := time.Now()
		if _, err := f.Run("siege"); err != nil {
			return e, err
		}
		e.answer = max(e.answer, time.Since(began))
		pause(ctx, siegeCalls)
	}
	published := f.Coordinator.Entries("version published")[before:]
	if e.done = <-over; len(published) < 2 {
		return e, fmt.Errorf("%d rounds in %v", len(published), siegeLasts)
	}
	var rounds []time.Duration
	for i := 1; i < len(published); i++ {
		rounds = append(rounds, published[i].Time.Sub(published[i-1].Time))
	}
	slices.Sort(rounds)
	if e.computed, err = f.Coordinator.Processor(); err != nil {
		return e, err
	}
	e.computed -= computed
	e.round = rounds[len(rounds)/2]
	e.peak, err = f.Coordinator.Peak()
	return e, err
}
