// Command bench measures what Accord promises, on this machine, with the
// binary that its users run, and writes docs/benchmarks.md. Run it from the
// module's root:
//
//	go run ./scripts/bench                       # everything; about an hour
//	go run ./scripts/bench -only default,sites   # a part; the rest stays
//
// It prints a line for each measurement and compares with the bars, but fails
// only when something could not be measured: times are this machine's affair.
// MNIST is looked for in -mnist.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/accord-fl/accord/scripts/bench/internal/accord"
	"github.com/accord-fl/accord/scripts/bench/internal/federation"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	only := flag.String("only", "", "names of measurements, separated by commas; empty: all")
	mnist := flag.String("mnist", "../shared/data/mnist", "folder with MNIST's four files")
	out := flag.String("out", "docs", "folder of benchmarks.md and benchmarks.json")
	flag.Parse()
	if flag.Arg(0) == federation.Verb { // a site of a measurement of this program
		if err := federation.Attend(ctx, flag.Arg(1)); err != nil {
			fmt.Fprintln(os.Stderr, "site:", err)
			os.Exit(1)
		}
		return
	}
	if flag.Arg(0) == assaultVerb { // likewise, whoever wears a coordinator out
		if err := assault(ctx, flag.Arg(1)); err != nil {
			fmt.Fprintln(os.Stderr, "assault:", err)
			os.Exit(1)
		}
		return
	}
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "bench: takes no argument, got %q; see -h\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := run(ctx, *only, *mnist, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is the state of one go at measuring.
type bench struct {
	ctx    context.Context
	accord *accord.Binary
	mnist  string // absolute
}

func run(ctx context.Context, only, mnist, out string) (err error) {
	wanted, err := choose(only)
	if err != nil {
		return err
	}
	b := &bench{ctx: ctx}
	if b.mnist, err = filepath.Abs(mnist); err != nil {
		return err
	}
	if b.accord, err = accord.Build(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.accord.Remove()) }()
	results, err := page.Load(out)
	if err != nil {
		return err
	}
	for _, m := range wanted {
		rows, err := m.measure(b)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		// Saved after each, so that an interruption keeps what it has.
		if err := results.Report(os.Stdout, m.name, rows, out); err != nil {
			return err
		}
	}
	return nil
}

// choose returns the measurements named in only, or all.
func choose(only string) ([]measurement, error) {
	if only == "" {
		return measurements(), nil
	}
	var chosen []measurement
	for name := range strings.SplitSeq(only, ",") {
		found := false
		for _, m := range measurements() {
			if m.name == name {
				chosen, found = append(chosen, m), true
			}
		}
		if !found {
			var known []string
			for _, m := range measurements() {
				known = append(known, m.name)
			}
			return nil, fmt.Errorf("-only: there is no measurement %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}
