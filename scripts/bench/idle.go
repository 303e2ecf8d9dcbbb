package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/accord-fl/accord/scripts/bench/internal/federation"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

const idleRounds = 60

// idle is a round in which nobody trains and nothing is measured: the
// coordinator's and the wire's own share, everything durable.
func (b *bench) idle() ([]page.Row, error) {
	var rows []page.Row
	for _, bar := range []struct {
		sites int
		limit time.Duration
		peer  string
	}{
		{2, 20 * time.Millisecond, "Flower 1.41: 6.2 s"},
		{8, 50 * time.Millisecond, "Flower 1.41: 11.3 s"},
		{32, 100 * time.Millisecond, "Flower 1.41: 42 s"},
	} {
		times, err := b.idleRounds(bar.sites)
		if err != nil {
			return nil, err
		}
		slices.Sort(times)
		middle := times[len(times)/2]
		rows = append(rows, page.Row{
			What: fmt.Sprintf("a round of %d sites as processes that train nothing, reference model, mTLS, durable, median", bar.sites),
			Bar:  fmt.Sprintf("< %s (%s)", millis(bar.limit), bar.peer), Holds: middle < bar.limit,
			Figure:  fmt.Sprintf("%s (%s to %s)", millis(middle), millis(times[0]), millis(times[len(times)-1])),
			Command: "go run ./scripts/bench -only idle",
		})
	}
	return rows, nil
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
}

// idleRounds returns how long each round took, from version to version.
func (b *bench) idleRounds(sites int) (times []time.Duration, err error) {
	f, err := federation.Start(b.ctx, b.accord)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for i := range sites {
		if err := f.Join(fmt.Sprintf("site-%02d", i+1), f.Address, 0); err != nil {
			return nil, err
		}
	}
	if err := f.Submit(fmt.Sprintf("name: idle\nmodel: reference\nrounds: %d\nmin_sites: %d\n", idleRounds, sites)); err != nil {
		return nil, err
	}
	if _, err := f.Coordinator.Await(b.ctx, "run ended", 0); err != nil {
		return nil, err
	}
	published := f.Coordinator.Entries("version published")
	if len(published) != idleRounds {
		r, err := f.Run("idle")
		return nil, errors.Join(err, fmt.Errorf("%d sites: %d of %d rounds: %s, %s", sites, len(published), idleRounds, r.Phase, r.Reason))
	}
	for i := 1; i < idleRounds; i++ {
		times = append(times, published[i].Time.Sub(published[i-1].Time))
	}
	return times, nil
}

// atRest is the memory of processes that wait for work.
func (b *bench) atRest() (_ []page.Row, err error) {
	if _, _, err := b.accord.Run(b.ctx, nil, "data", "partition", "--dataset", "digits", "--sites", "1", "--out", "rest"); err != nil {
		return nil, err
	}
	f, err := federation.Start(b.ctx, b.accord)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Participant("site-01", fmt.Sprintf("safetensors:%s/rest/site-01.safetensors", b.accord.Dir)); err != nil {
		return nil, err
	}
	var rows []page.Row
	for _, p := range []struct {
		who, peer string
		*federation.Process
	}{{"a coordinator", "258 MB", f.Coordinator}, {"a participant", "255 MB", f.Sites["site-01"]}} {
		bytes, err := p.Memory()
		if err != nil {
			return nil, err
		}
		rows = append(rows, page.Row{
			What: "memory of " + p.who + " at rest", Bar: fmt.Sprintf("< 40 MB (Flower 1.41: %s)", p.peer),
			Figure: fmt.Sprintf("%.0f MB", float64(bytes)/1e6), Holds: bytes < 40e6, Command: "go run ./scripts/bench -only rest",
		})
	}
	return rows, nil
}
