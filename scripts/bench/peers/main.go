// Command peers measures Accord's engine beside the frameworks that its users
// would otherwise install, PyTorch, TensorFlow with Keras and Flower, and beside
// what the processor could do at best, and writes its part of docs/benchmarks.md.
// Run it from the module's root, on an idle machine:
//
//	go run ./scripts/bench/peers                      # everything; about 20 minutes
//	go run ./scripts/bench/peers -only step2,round    # a part; the rest stays
//	go run ./scripts/bench/peers -short               # one go at each
//
// The peers' newest versions are installed by pip into two virtual environments
// in the user's cache folder; -upgrade does so again. pip's own configuration
// (PIP_INDEX_URL, …) says where from.
//
// Machines are shared and noisy, so ours and theirs alternate, and what counts is
// the median of the ratios. Missed bars are told and are no failure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/accord-fl/accord/scripts/bench/internal/accord"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// options are the command line.
type options struct {
	only    string
	mnist   string
	out     string
	venv    string
	upgrade bool
	short   bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.only, "only", "", "names of measurements, separated by commas; empty: all of "+strings.Join(names(), ", "))
	flag.StringVar(&o.mnist, "mnist", "../shared/data/mnist", "folder with MNIST's four files")
	flag.StringVar(&o.out, "out", "docs", "folder of benchmarks.md and benchmarks.json")
	flag.StringVar(&o.venv, "venv", "", "folder of the virtual environments (default accord-peers in the user's cache folder)")
	flag.BoolVar(&o.upgrade, "upgrade", false, "install the newest versions of the peers again")
	flag.BoolVar(&o.short, "short", false, "measure once instead of three times")
	flag.Parse()
	err := run(ctx, o)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "peers: interrupted; what was measured is saved")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// bench is the state of one go at measuring.
type bench struct {
	ctx     context.Context
	accord  *accord.Binary
	python  environments
	mnist   string // absolute
	repeats int
}

// measurement is one or more rows of the page.
type measurement struct {
	name    string
	peers   []string // environments that it needs
	measure func(*bench) ([]page.Row, error)
}

func measurements() []measurement {
	return []measurement{
		{"step2", []string{torch, keras}, func(b *bench) ([]page.Row, error) { return b.step(2) }},
		{"step1", []string{torch, keras}, func(b *bench) ([]page.Row, error) { return b.step(1) }},
		{"train", []string{keras}, (*bench).training},
		{"round", []string{torch}, (*bench).round},
		{"engine", nil, (*bench).engine},
		{"odd", nil, (*bench).odd},
		{"fold", nil, (*bench).fold},
	}
}

func names() []string {
	var all []string
	for _, m := range measurements() {
		all = append(all, m.name)
	}
	return all
}

// choose returns the measurements named in only, or all.
func choose(only string) ([]measurement, error) {
	if only == "" {
		return measurements(), nil
	}
	wanted := strings.Split(only, ",")
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return nil, fmt.Errorf("-only: there is no measurement %q; there are %s", name, strings.Join(names(), ", "))
		}
	}
	return slices.DeleteFunc(measurements(), func(m measurement) bool { return !slices.Contains(wanted, m.name) }), nil
}

func run(ctx context.Context, o options) (err error) {
	wanted, err := choose(o.only)
	if err != nil {
		return err
	}
	b := &bench{ctx: ctx, repeats: 3}
	if o.short {
		b.repeats = 1
	}
	if b.mnist, err = filepath.Abs(o.mnist); err != nil {
		return err
	}
	if b.accord, err = accord.Build(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.accord.Remove()) }()
	if b.python, err = prepare(ctx, o, wanted, b.accord.Dir); err != nil {
		return err
	}
	results, err := page.Load(o.out)
	if err != nil {
		return err
	}
	for _, m := range wanted {
		rows, err := m.measure(b)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if err := results.Report(os.Stdout, m.name, rows, o.out); err != nil {
			return err
		}
	}
	return nil
}
