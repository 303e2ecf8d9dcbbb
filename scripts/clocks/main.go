// Command clocks sets the clock of one side of a federation wrong, in mid-run and
// for a while, and looks whether every site attends again, and the run ends,
// without anyone's help. While the clock is wrong, that side is killed and started
// again, so that everybody meets it. From the root of the repository:
//
//	go run ./scripts/clocks
//	go run ./scripts/clocks -side coordinator -days -31 -wrong 1m
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	side := flag.String("side", "", "whose clock: coordinator or sites (default each)")
	days := flag.Int("days", 0, "by how many days it is ahead, negative for behind (default 2, -2, 31 and -31 in turn)")
	wrong := flag.Duration("wrong", time.Minute, "for how long it is wrong")
	within := flag.Duration("within", 12*time.Minute, "how soon the run must have ended after that")
	keep := flag.Bool("keep", false, "keep the folder, with its logs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := all(ctx, *side, *days, *wrong, *within, *keep)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "clocks:", err)
		os.Exit(1)
	}
}

// all goes through the trials that are asked for.
func all(ctx context.Context, side string, days int, wrong, within time.Duration, keep bool) error {
	dir, err := os.MkdirTemp("", "accord-clocks-")
	if err != nil {
		return err
	}
	if keep {
		fmt.Println("logs are in", dir)
	} else {
		defer func() { _ = os.RemoveAll(dir) }()
	}
	binary, err := build(dir)
	if err != nil {
		return err
	}
	sides, offsets := []string{coordinator, sites}, []int{2, -2, 31, -31}
	if side != "" {
		sides = []string{side}
	}
	if days != 0 {
		offsets = []int{days}
	}
	failed := 0
	for _, side := range sides {
		for _, days := range offsets {
			t := trial{binary: binary, dir: fmt.Sprintf("%s/%s%+d", dir, side, days), side: side, days: days, wrong: wrong, within: within}
			took, err := t.run(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			verdict := fmt.Sprintf("ok, the run ended %v after the clock was right", took.Round(time.Second))
			if err != nil {
				failed++
				verdict = "FAILED: " + err.Error()
			}
			fmt.Printf("%-12s %+4d days: %s\n", side, days, verdict)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d trials failed", failed)
	}
	return nil
}
