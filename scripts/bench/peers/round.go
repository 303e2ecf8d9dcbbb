package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// round compares rounds of FedAvg in simulation, evaluation included.
func (b *bench) round(ctx context.Context) ([]page.Row, error) {
	ourArgs := []string{"simulate", "--dataset", "mnist", "--data", b.mnist, "--sites", "100", "--fraction", "0.1", "--partition", "iid",
		"--rounds", "12", "--epochs", "5", "--batch", "10", "--optimizer", "sgd", "--lr", "0.1"}
	theirArgs := []string{"--data", b.mnist, "--rounds", "5"}
	var d duel
	kernel := ""
	for i := range b.repeats {
		folder := fmt.Sprintf("round-%d", i)
		var s struct {
			Kernel string `json:"kernel"`
		}
		if err := b.accord.JSON(ctx, &s, nil, append(ourArgs[:len(ourArgs):len(ourArgs)], "--out", folder)...); err != nil {
			return nil, err
		}
		rounds, err := report.ReadMetrics(filepath.Join(b.dir, folder, report.MetricsFile))
		if err != nil {
			return nil, err
		}
		ours, err := roundSeconds(rounds)
		if err != nil {
			return nil, err
		}
		var p peer
		if _, err := b.python.run(ctx, &p, torch, "flower_rounds.py", append(theirArgs[:len(theirArgs):len(theirArgs)], "--out", filepath.Join(b.dir, "flower.json"))...); err != nil {
			return nil, err
		}
		theirs, err := p.roundSeconds()
		if err != nil {
			return nil, err
		}
		kernel, d.peer = s.Kernel, "Flower "+p.Version
		d.add(ours, theirs, theirs/ours)
		if err := b.tell("%s: %.2f s a round, ours %.2f s", d.peer, theirs, ours); err != nil {
			return nil, err
		}
	}
	return []page.Row{against(page.Row{
		What: fmt.Sprintf("a round of FedAvg in simulation with its evaluation, MNIST, 100 sites, C = 0.1, E = 5, B = 10, SGD 0.1, IID, on %s, median from one round's end to the next's",
			plural(runtime.NumCPU(), "core")),
		Kernel: kernel,
		Command: b.command("round", append(append([]string{"accord"}, ourArgs...), "--json"),
			append([]string{"python", "flower_rounds.py"}, theirArgs...)),
	}, bar{9, 12, times}, []duel{d}, " s", 2)}, nil
}

// roundSeconds is the median time from one round's end to the next's. The first
// round, which is begun by loading the data, does not count.
func roundSeconds(rounds []report.Round) (float64, error) {
	if len(rounds) < 2 {
		return 0, fmt.Errorf("accord simulate: want at least two rounds in %s, got %d", report.MetricsFile, len(rounds))
	}
	var seconds []float64
	for i, r := range rounds[1:] {
		seconds = append(seconds, r.Seconds-rounds[i].Seconds)
	}
	m := median(seconds)
	return m, positive("accord simulate", m)
}

// roundSeconds is the median time of a round but for the first, in which the
// peer's workers start.
func (p peer) roundSeconds() (float64, error) {
	if len(p.Rounds) < 2 {
		return 0, fmt.Errorf("flower_rounds.py: want at least two rounds, got %d", len(p.Rounds))
	}
	var seconds []float64
	for _, r := range p.Rounds[1:] {
		seconds = append(seconds, r.Seconds)
	}
	m := median(seconds)
	return m, positive("flower_rounds.py", m)
}
