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
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	only := flag.String("only", "", "names of measurements, separated by commas; empty: all")
	mnist := flag.String("mnist", "../shared/data/mnist", "folder with MNIST's four files")
	out := flag.String("out", "docs", "folder of benchmarks.md and benchmarks.json")
	flag.Parse()
	if err := run(ctx, *only, *mnist, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is the state of one go at measuring.
type bench struct {
	ctx    context.Context
	binary string // a fresh build of accord
	dir    string // scratch, removed at the end
	mnist  string // absolute
	log    io.Writer
}

func run(ctx context.Context, only, mnist, out string) (err error) {
	wanted, err := choose(only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "accord-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{ctx: ctx, binary: filepath.Join(dir, "accord"), dir: dir, log: os.Stderr}
	if b.mnist, err = filepath.Abs(mnist); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", b.binary, "./cmd/accord")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build accord: %w", err)
	}
	results, err := load(filepath.Join(out, "benchmarks.json"))
	if err != nil {
		return err
	}
	for _, m := range wanted {
		rows, err := m.measure(b)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		for _, r := range rows {
			if _, err := fmt.Fprintf(os.Stdout, "%-8s %s: %s (bar: %s)\n", m.name, r.What, r.Figure, r.Bar); err != nil {
				return err
			}
		}
		results.put(m.name, rows)
		// Saved after each, so that an interruption keeps what it has.
		if err := results.save(out); err != nil {
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
			return nil, fmt.Errorf("there is no measurement %q", name)
		}
	}
	return chosen, nil
}
