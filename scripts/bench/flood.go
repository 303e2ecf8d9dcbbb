package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/accord-fl/accord/scripts/bench/internal/federation"
	"github.com/accord-fl/accord/scripts/bench/internal/flood"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// What the flood has to do with.
const (
	floodSites       = 4
	floodRounds      = 30
	floodTraining    = 100 * time.Millisecond // of a site in a round
	floodConnections = 100
	floodRate        = 10_000
	floodLasts       = 30 * time.Second // or as long as the rounds take
)

// flooded lets honest sites train while a coordinator is thrown malformed calls.
func (b *bench) flooded() (_ []page.Row, err error) {
	f, err := federation.Start(b.ctx, b.accord)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for i := range floodSites {
		if err := f.Join(fmt.Sprintf("site-%02d", i+1), f.Address, floodTraining); err != nil {
			return nil, err
		}
	}
	quiet, err := b.trainOnce(f, "quiet", 0)
	if err != nil {
		return nil, err
	}
	before, err := f.Coordinator.Memory()
	if err != nil {
		return nil, err
	}
	loud, thrown, err := b.underFire(f)
	if err != nil {
		return nil, err
	}
	after, err := f.Coordinator.Memory()
	if err != nil {
		return nil, err
	}
	peak, err := f.Coordinator.Peak()
	if err != nil {
		return nil, err
	}
	pause(b.ctx, time.Minute+time.Second) // until the minute is over that refusals are counted by
	lines, counted := refusals(f.Coordinator)
	const command = "go run ./scripts/bench -only flood"
	mib := func(bytes int64) string { return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20)) }
	return []page.Row{{
		What:   fmt.Sprintf("%d honest sites while %d connections send malformed calls: a round, median of %d", floodSites, floodConnections, floodRounds),
		Bar:    "all rounds are done",
		Figure: fmt.Sprintf("%s, without the flood %s", millis(middle(loud)), millis(middle(quiet))),
		Holds:  len(loud) == floodRounds-1, Command: command,
	}, {
		What: "the same: malformed calls a second", Bar: "10,000 or what this machine can send; none succeeds",
		Figure: fmt.Sprintf("%.0f: %s; %d endless streams cut off", thrown.Rate(), thrown.Summary(), thrown.Endless),
		Holds:  thrown.Calls > 0 && thrown.Outcomes[codes.OK] == 0, Command: command,
	}, {
		What: "the same: the coordinator's memory before, after, at the peak", Bar: "< 300 MiB at the peak",
		Figure: fmt.Sprintf("%s, %s, %s", mib(before), mib(after), mib(peak)),
		Holds:  peak < 300<<20, Command: command,
	}, {
		What: "the same: refused calls that its log tells of", Bar: "≥ 99 % of those that ended, in < 1,000 lines",
		Figure: fmt.Sprintf("%d in %d lines", counted, lines),
		Holds:  lines < 1000 && float64(counted) >= 0.99*float64(ended(thrown.Outcomes)), Command: command,
	}}, nil
}

// trainOnce has the sites do a run, after so many others, and returns how long
// each round took but the first.
func (b *bench) trainOnce(f *federation.Federation, name string, others int) (times []time.Duration, err error) {
	if err := f.Submit(fmt.Sprintf("name: %s\nmodel: reference\nrounds: %d\nmin_sites: %d\n", name, floodRounds, floodSites)); err != nil {
		return nil, err
	}
	if _, err := f.Coordinator.Await(b.ctx, "run ended", others); err != nil {
		return nil, err
	}
	published := f.Coordinator.Entries("version published")
	if want := floodRounds * (others + 1); len(published) != want {
		return nil, fmt.Errorf("run %s ended with %d versions in all, not %d", name, len(published), want)
	}
	published = published[floodRounds*others:]
	for i := 1; i < len(published); i++ {
		times = append(times, published[i].Time.Sub(published[i-1].Time))
	}
	return times, nil
}

// underFire has the sites train in the midst of a flood.
func (b *bench) underFire(f *federation.Federation) (rounds []time.Duration, thrown flood.Result, err error) {
	stranger, err := f.Stranger()
	if err != nil {
		return nil, thrown, err
	}
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		var err error
		thrown, err = flood.Flood{
			Address: f.Address, Credentials: stranger, Connections: floodConnections, Rate: floodRate,
		}.Run(ctx)
		failed <- err
	}()
	least := time.After(floodLasts)
	pause(ctx, floodLasts/10) // until it is in full spate
	rounds, err = b.trainOnce(f, "flooded", 1)
	if err == nil {
		<-least
	}
	cancel()
	err = errors.Join(err, <-failed)
	return rounds, thrown, err
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// ended counts the calls that a coordinator has answered.
func ended(outcomes map[codes.Code]int) (n int) {
	for code, count := range outcomes {
		if code != codes.DeadlineExceeded && code != codes.Canceled && code != codes.Unavailable {
			n += count
		}
	}
	return n
}

// refusals sums up what a coordinator's log tells of refused calls.
func refusals(coordinator *federation.Process) (lines, calls int) {
	firsts, sums := coordinator.Entries("call refused"), coordinator.Entries("calls refused")
	for _, s := range sums {
		calls += s.Count - 1 // the first has a line of its own
	}
	return len(firsts) + len(sums), len(firsts) + calls
}

func middle(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}
