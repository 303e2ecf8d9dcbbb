// Command peers measures Accord's engine beside the frameworks that its users
// would otherwise install, PyTorch, TensorFlow with Keras and Flower, and beside
// what the processor could do at best, and writes its part of docs/benchmarks.md.
// Run it from the module's root, on an idle machine:
//
//	go run ./scripts/bench/peers                      # everything; half an hour
//	go run ./scripts/bench/peers -only step2,round    # a part; the rest stays
//	go run ./scripts/bench/peers -short               # one turn each
//
// The peers' newest versions are installed by pip into two virtual environments
// in the user's cache folder, torch and tf; -upgrade does so again. pip's own
// configuration (PIP_INDEX_URL, PIP_FIND_LINKS, …) says where from: what the
// default index has of PyTorch for Linux brings gigabytes of CUDA along, which
// an index of builds for CPUs does not.
//
// Machines are shared and noisy, so ours and theirs take turns, and what counts is
// the median of the ratios. Missed bars are told and are no failure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

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
	flag.StringVar(&o.venv, "venv", "", "folder of the virtual environments torch and tf (default accord-peers in the user's cache folder)")
	flag.BoolVar(&o.upgrade, "upgrade", false, "install the newest versions of the peers again")
	flag.BoolVar(&o.short, "short", false, "measure once instead of three times")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "peers: takes no argument, got %q; see -h\n", flag.Arg(0))
		os.Exit(2)
	}
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

// program is the binary that is measured. Both methods run it in the scratch
// folder, with further variables in its environment, and are not called
// concurrently.
type program interface {
	Run(ctx context.Context, env []string, args ...string) (out []byte, elapsed time.Duration, err error)
	JSON(ctx context.Context, into any, env []string, args ...string) error
}

var _ program = (*accord.Binary)(nil)

// scripts runs our Python files, one at a time, and decodes what they print.
type scripts interface {
	run(ctx context.Context, into *peer, environment, script string, args ...string) (time.Duration, error)
}

var _ scripts = environments{}

// bench is the state of one go at measuring.
type bench struct {
	accord  program
	python  scripts
	dir     string // scratch
	mnist   string // absolute
	odd     string // path of odd.yaml, absolute
	repeats int
	log     io.Writer
}

// measurement is one or more rows of the page.
type measurement struct {
	name    string
	needs   []string // environments
	measure func(*bench, context.Context) ([]page.Row, error)
}

func measurements() []measurement {
	return []measurement{
		{"step2", []string{torch, keras}, func(b *bench, ctx context.Context) ([]page.Row, error) { return b.step(ctx, 2) }},
		{"step1", []string{torch, keras}, func(b *bench, ctx context.Context) ([]page.Row, error) { return b.step(ctx, 1) }},
		{"train", []string{keras}, (*bench).training},
		{"round", []string{torch}, (*bench).round},
		{"engine", nil, (*bench).engine},
		{"odd", nil, (*bench).oddNetwork},
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
	b := &bench{repeats: 3, log: os.Stderr}
	if o.short {
		b.repeats = 1
	}
	if b.mnist, err = filepath.Abs(o.mnist); err != nil {
		return err
	}
	if _, err := os.Stat(b.mnist); err != nil {
		return fmt.Errorf("-mnist: %w; `accord data fetch mnist` gets the files", err)
	}
	folder, err := filepath.Abs(filepath.Join("scripts", "bench", "peers"))
	if err != nil {
		return err
	}
	b.odd = filepath.Join(folder, "odd.yaml")
	results, err := page.Load(o.out)
	if err != nil {
		return err
	}
	binary, err := accord.Build(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, binary.Remove()) }()
	b.accord, b.dir = binary, binary.Dir
	if b.python, err = prepare(ctx, o, wanted, environments{scripts: folder, home: binary.Dir, log: b.log}); err != nil {
		return err
	}
	for _, m := range wanted {
		rows, err := m.measure(b, ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		// Saved after each, so that an interruption keeps what it has.
		if err := results.Report(os.Stdout, m.name, rows, o.out); err != nil {
			return err
		}
	}
	return nil
}

// command is how a measurement is made, for the page: all of it, and what it
// runs, in which DIR stands for MNIST's folder.
func (b *bench) command(name string, runs ...[]string) string {
	lines := []string{"go run ./scripts/bench/peers -only " + name}
	if b.repeats == 1 {
		lines[0] += " -short"
	}
	for _, args := range runs {
		line := strings.ReplaceAll(strings.Join(args, " "), b.mnist, "DIR")
		lines = append(lines, strings.ReplaceAll(line, b.odd, "scripts/bench/peers/odd.yaml"))
	}
	return strings.Join(lines, "\n")
}
