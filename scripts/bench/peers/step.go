package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// contestant is a way to train with other software.
type contestant struct {
	name                string // takes the version
	environment, script string
	args                []string
}

func contestants(args []string) []contestant {
	more := func(extra ...string) []string { return append(args[:len(args):len(args)], extra...) }
	return []contestant{
		{"PyTorch %s", torch, "torch_step.py", args},
		{"PyTorch %s, tuned", torch, "torch_step.py", more("--tuned")},
		{"Keras %s, later epochs", keras, "keras_fit.py", more("--epochs", "3")},
	}
}

// step compares whole training steps on MNIST in batches of 32.
func (b *bench) step(ctx context.Context, threads int) ([]page.Row, error) {
	number := strconv.Itoa(threads)
	ourArgs := b.trainArgs("--batch", "32", "--threads", number)
	peers := contestants([]string{"--data", b.mnist, "--batch", "32", "--threads", number})
	sparse, dense := make([]duel, len(peers)), make([]duel, len(peers))
	kernel := ""
	for range b.repeats {
		for i, p := range peers {
			ours, err := b.trainBench(ctx, nil, ourArgs)
			if err != nil {
				return nil, err
			}
			var theirs peer
			if _, err := b.python.run(ctx, &theirs, p.environment, p.script, p.args...); err != nil {
				return nil, err
			}
			if err := positive(p.script, theirs.SamplesPerSecond); err != nil {
				return nil, err
			}
			kernel = ours.Kernel
			name := fmt.Sprintf(p.name, theirs.Version)
			sparse[i].peer, dense[i].peer = name, name
			sparse[i].add(ours.Sparse, theirs.SamplesPerSecond, ours.Sparse/theirs.SamplesPerSecond)
			dense[i].add(ours.Dense, theirs.SamplesPerSecond, ours.Dense/theirs.SamplesPerSecond)
			if err := b.tell("%s: %.0f samples/s, ours %.0f, dense %.0f", name, theirs.SamplesPerSecond, ours.Sparse, ours.Dense); err != nil {
				return nil, err
			}
		}
	}
	runs := [][]string{append([]string{"accord"}, append(ourArgs, "--json")...)}
	for _, p := range peers {
		runs = append(runs, append([]string{"python", p.script}, p.args...))
	}
	row := page.Row{
		What:   "training steps, MNIST, batch 32, " + plural(threads, "thread"),
		Kernel: kernel, Command: b.command("step"+number, runs...),
	}
	if threads == 1 {
		return []page.Row{against(row, bar{2.5, 3.3, times}, sparse, rate, 0)}, nil
	}
	without := row
	without.What = "the same, dense: no pass skips zeros"
	return []page.Row{
		against(row, bar{4, 6, times}, sparse, rate, 0),
		against(without, bar{3.5, 0, times}, dense, rate, 0),
	}, nil
}

// tell says on the log what a turn measured.
func (b *bench) tell(format string, args ...any) error {
	_, err := fmt.Fprintf(b.log, "  "+format+"\n", args...)
	return err
}

// positive refuses figures that are none, which would make ratios of nothing.
func positive(from string, figures ...float64) error {
	for _, f := range figures {
		if !(f > 0) {
			return fmt.Errorf("%s measured %v", from, f)
		}
	}
	return nil
}
