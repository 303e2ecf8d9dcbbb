// Command trials puts a federation of real processes through what must not
// hurt it, and compares the models that come of it with those of the same runs
// undisturbed. Run it from the module's root:
//
//	go run ./scripts/bench/trials                        # all; some minutes
//	go run ./scripts/bench/trials -only storm -kills 20  # one, shorter
//	go run ./scripts/bench/trials -only versions -before /tmp/accord-0.1
//
// It prints a line for each trial and fails when one does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/accord-fl/accord/scripts/bench/internal/accord"
)

// bench is what all trials work with.
type bench struct {
	ctx    context.Context
	accord *accord.Binary
	before string // a binary of the version before; "": there is none
	kills  int
	seed   uint64
}

// trials by name, in the order in which they go.
var trials = []struct {
	name string
	do   func(*bench) (figure string, err error)
}{
	{"storm", (*bench).storm},
	{"disk", (*bench).fullDisk},
	{"versions", (*bench).versions},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &bench{ctx: ctx}
	only := flag.String("only", "", "names of trials, separated by commas: storm, disk, versions; empty: all")
	flag.StringVar(&b.before, "before", "", "binary of the version before, for versions; empty: that trial is skipped")
	flag.IntVar(&b.kills, "kills", 100, "how often storm kills the coordinator")
	flag.Uint64Var(&b.seed, "seed", 1, "seed for what storm does when")
	flag.Parse()
	if err := b.run(*only); err != nil {
		fmt.Fprintln(os.Stderr, "trials:", err)
		os.Exit(1)
	}
}

// run goes through the trials that are wanted.
func (b *bench) run(only string) (err error) {
	var wanted []string
	if only != "" {
		wanted = strings.Split(only, ",")
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(trials, func(t struct {
			name string
			do   func(*bench) (string, error)
		}) bool {
			return t.name == name
		}) {
			return fmt.Errorf("there is no trial %q: see -h", name)
		}
	}
	if b.accord, err = accord.Build(b.ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.accord.Remove()) }()
	for _, t := range trials {
		if len(wanted) > 0 && !slices.Contains(wanted, t.name) {
			continue
		}
		began := time.Now()
		figure, err := t.do(b)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		fmt.Printf("%-9s %s (%.0f s)\n", t.name, figure, time.Since(began).Seconds())
	}
	return nil
}
