package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/accord-fl/accord/internal/pki"
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
	const rogue = "rogue"
	identity, err := f.Identity(rogue)
	if err != nil {
		return nil, err
	}
	s := besieger{Address: f.Address, Identity: identity, Site: rogue}
	run := fmt.Sprintf("name: siege\nmodel: reference\nrounds: %d\nmin_sites: %d\n", siegeRounds, siegeSites)
	if err := f.Submit(run); err != nil {
		return nil, err
	}
	if _, err := f.Coordinator.Await(b.ctx, "version published", 10); err != nil {
		return nil, err
	}
	quiet, err := b.endure(f, s)
	if err != nil {
		return nil, err
	}
	rows := []page.Row{}
	for _, a := range flood.Assaults() {
		pause(b.ctx, siegeRests)
		s.Assault = a.Name
		loud, err := b.endure(f, s)
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

// assaultVerb is this program's first argument when it is called to wear a
// coordinator out; the second describes that.
const assaultVerb = "assault"

// besieger is whoever wears a coordinator out: a process that yields the processor
// to others, for a real one would not compute on the same machine.
type besieger struct {
	Assault  string // its name; "": none
	Address  string // of the coordinator
	Identity string // folder of a site's
	Site     string // its name
}

// run carries the assault out for as long as a siege lasts, and returns how often it did
// what it is about.
func (s besieger) run(ctx context.Context) (done int64, err error) {
	if s.Assault == "" {
		pause(ctx, siegeLasts)
		return 0, nil
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	document, err := json.Marshal(s)
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, "nice", "-n", "19", self, assaultVerb, string(document))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscan(string(out), &done)
	return done, err
}

// assault carries one out, which the argument of assaultVerb describes.
func assault(ctx context.Context, document string) error {
	var b besieger
	if err := json.Unmarshal([]byte(document), &b); err != nil {
		return err
	}
	site, err := pki.OpenCredential(b.Identity)
	if err != nil {
		return err
	}
	s := flood.Siege{Address: b.Address, Site: b.Site, Stranger: site.ClientTLS(), Member: site.ClientTLS()}
	s.Stranger.GetClientCertificate = nil
	ctx, cancel := context.WithTimeout(ctx, siegeLasts)
	defer cancel()
	for _, a := range flood.Assaults() {
		if a.Name == b.Assault {
			fmt.Println(a.Run(ctx, s))
			return nil
		}
	}
	return fmt.Errorf("there is no assault %q", b.Assault)
}

// endure measures a coordinator while it is assaulted.
func (b *bench) endure(f *federation.Federation, s besieger) (e endured, err error) {
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
	type outcome struct {
		done int64
		err  error
	}
	over := make(chan outcome, 1)
	go func() {
		done, err := s.run(b.ctx)
		over <- outcome{done, err}
	}()
	for ctx.Err() == nil {
		began := time.Now()
		if _, err := f.Run("siege"); err != nil {
			return e, err
		}
		e.answer = max(e.answer, time.Since(began))
		pause(ctx, siegeCalls)
	}
	published := f.Coordinator.Entries("version published")[before:]
	carried := <-over
	if e.done = carried.done; carried.err != nil {
		return e, carried.err
	}
	if len(published) < 2 {
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
