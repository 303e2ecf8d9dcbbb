// Command fedavg counts the rounds that federated averaging takes to reach 99 %
// test accuracy on MNIST, beside Table 2 of the paper that introduced it
// (McMahan et al., "Communication-Efficient Learning of Deep Networks from
// Decentralized Data", 2017), and writes docs/fedavg.md. Run it from the
// module's root:
//
//	go run ./scripts/bench/fedavg -list             # the cells, and what each costs at most
//	go run ./scripts/bench/fedavg                   # all of them; many hours
//	go run ./scripts/bench/fedavg -max-samples 20   # those of at most 20 million samples
//
// A finished cell is saved at once. Ctrl-C, or SIGTERM, ends it cleanly, and the
// same command goes on where it was, with an unchanged binary in the middle of a cell
// too.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/accord-fl/accord/scripts/bench/internal/accord"
)

// options are the command line.
type options struct {
	only       string
	maxSamples float64 // millions
	list       bool
	mnist      string
	out        string
	cache      string
	accord     string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.only, "only", "", "regular expression that a cell's name must match, such as 'iid constant'")
	flag.Float64Var(&o.maxSamples, "max-samples", 0, "leave out cells that train on more than so many million samples; 0: leave out none")
	flag.BoolVar(&o.list, "list", false, "only print the cells and what each costs at most")
	flag.StringVar(&o.mnist, "mnist", "../shared/data/mnist", "folder with MNIST's four files")
	flag.StringVar(&o.out, "out", "docs", "folder of fedavg.md and fedavg.json")
	flag.StringVar(&o.cache, "cache", "", "folder of the cells' run folders, by binary (default accord-fedavg in the user's cache folder)")
	flag.StringVar(&o.accord, "accord", "", "binary to measure (default a fresh build of this tree)")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "fedavg: takes no argument, got %q; see -h\n", flag.Arg(0))
		os.Exit(2)
	}
	err := run(ctx, o)
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "fedavg: interrupted; the same command goes on where it was")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "fedavg:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	b := &bench{cells: plan(), maxSamples: int64(o.maxSamples * 1e6), out: o.out, cache: o.cache, binary: o.accord, log: os.Stderr}
	if b.only, err = regexp.Compile(o.only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if b.results, err = load(filepath.Join(o.out, resultsFile)); err != nil {
		return err
	}
	if o.list {
		return b.list(os.Stdout)
	}
	mnist, err := filepath.Abs(o.mnist)
	if err != nil {
		return err
	}
	b.federation = []string{"--dataset", "mnist", "--data", mnist, "--sites", "100", "--fraction", "0.1"}
	b.hidden = mnist
	if b.cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		b.cache = filepath.Join(user, "accord-fedavg")
	}
	if b.binary == "" {
		var fresh *accord.Binary
		if fresh, err = accord.Build(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, fresh.Remove()) }()
		b.binary = fresh.Path
	}
	version, err := digest(b.binary)
	if err != nil {
		return err
	}
	b.cache = filepath.Join(b.cache, version[:12])
	return b.run(ctx)
}

// digest returns the SHA-256 of a file, in hexadecimal. A run is gone on with by the
// binary that began it alone: one that adds in another order gives another model.
func digest(path string) (string, error) {
	data, err := os.ReadFile(path)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), err
}
