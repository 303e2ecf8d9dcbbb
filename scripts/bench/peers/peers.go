package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// peer is what our Python files print of a training.
type peer struct {
	Version          string  `json:"version"`
	SamplesPerSecond float64 `json:"samples_per_second"`
	PeakRSS          float64 `json:"peak_rss_bytes"`
	Rounds           []struct {
		Seconds float64 `json:"seconds"`
	} `json:"rounds"`
}

// benchTrain is the part of what `accord bench train --json` prints that is read
// here.
type benchTrain struct {
	Kernel    string  `json:"kernel"`
	Sparse    float64 `json:"samples_per_second"`
	Dense     float64 `json:"dense_samples_per_second"`
	Share     float64 `json:"share_of_peak"`
	EvalShare float64 `json:"evaluation_share_of_peak"`
	Allocs    float64 `json:"allocations_per_step"`
}

// bar is what a ratio is compared with.
type bar struct{ want, stretch float64 }

// steps are the bars of a whole training step, by threads.
var steps = map[int]struct {
	sparse bar
	dense  float64 // 0 for none
}{
	2: {bar{4, 6}, 3.5},
	1: {bar{2.5, 3.3}, 0},
}

// step compares whole training steps on MNIST in batches of 32.
func (b *bench) step(threads int) ([]page.Row, error) {
	number := strconv.Itoa(threads)
	args := []string{"--data", b.mnist, "--threads", number}
	peers := []struct {
		name, environment, script string
		args                      []string
		rates                     []float64
	}{
		{"PyTorch %s", torch, "torch_step.py", args, nil},
		{"PyTorch %s tuned", torch, "torch_step.py", append(args, "--tuned"), nil},
		{"Keras %s, later epochs", keras, "keras_fit.py", append(args, "--epochs", "3"), nil},
	}
	var sparse, dense, sparseRatios, denseRatios []float64
	family := ""
	for range b.repeats {
		ours, err := b.trainBench(nil, "--threads", number)
		if err != nil {
			return nil, err
		}
		best := 0.0
		for i := range peers {
			p := &peers[i]
			var theirs peer
			if _, err := b.python.run(b.ctx, &theirs, p.environment, p.script, p.args...); err != nil {
				return nil, err
			}
			if strings.Contains(p.name, "%s") {
				p.name = fmt.Sprintf(p.name, theirs.Version)
			}
			p.rates, best = append(p.rates, theirs.SamplesPerSecond), max(best, theirs.SamplesPerSecond)
		}
		family = ours.Kernel
		sparse, dense = append(sparse, ours.Sparse), append(dense, ours.Dense)
		sparseRatios, denseRatios = append(sparseRatios, ours.Sparse/best), append(denseRatios, ours.Dense/best)
	}
	var theirs []string
	for _, p := range peers {
		theirs = append(theirs, fmt.Sprintf("%s: %.0f", p.name, median(p.rates)))
	}
	bars, command := steps[threads], "accord bench train --dataset mnist --data DIR --batch 32 --threads "+number+" --json"
	what := fmt.Sprintf("training steps, MNIST, batch 32, %s, samples/s, against the best of %s", plural(threads, "thread"), strings.Join(theirs, ", "))
	rows := []page.Row{ratio(what, bars.sparse, sparseRatios, fmt.Sprintf("%.0f (%s)", median(sparse), family), command)}
	if bars.dense > 0 {
		rows = append(rows, ratio("the same without the sparse backward pass", bar{want: bars.dense}, denseRatios, fmt.Sprintf("%.0f (%s)", median(dense), family), command))
	}
	return rows, nil
}

// training compares the whole process of five epochs with loading and evaluation.
func (b *bench) training() ([]page.Row, error) {
	var ratios, ours, theirs []float64
	var memory, theirMemory float64
	version := ""
	for i := range b.repeats {
		args := []string{"train", "--dataset", "mnist", "--data", b.mnist, "--epochs", "5", "--batch", "32", "--optimizer", "adam", "--out", fmt.Sprintf("train-%d", i), "--json"}
		out, elapsed, err := b.accord.Run(b.ctx, nil, args...)
		if err != nil {
			return nil, err
		}
		var s struct {
			PeakRSS float64 `json:"peak_rss_bytes"`
		}
		if err := json.Unmarshal(out, &s); err != nil {
			return nil, fmt.Errorf("accord train: %w", err)
		}
		var p peer
		theirTime, err := b.python.run(b.ctx, &p, keras, "keras_fit.py", "--data", b.mnist, "--epochs", "5")
		if err != nil {
			return nil, err
		}
		version, memory, theirMemory = p.Version, max(memory, s.PeakRSS), max(theirMemory, p.PeakRSS)
		ours, theirs = append(ours, elapsed.Seconds()), append(theirs, theirTime.Seconds())
		ratios = append(ratios, theirTime.Seconds()/elapsed.Seconds())
	}
	what := fmt.Sprintf("`accord train`, 5 epochs of MNIST, whole process, against Keras %s (Sequential, adam, `fit(epochs=5)`, `evaluate`): %.1f s, %.0f MB", version, median(theirs), theirMemory/1e6)
	return []page.Row{ratio(what, bar{6, 9}, ratios, fmt.Sprintf("%.1f s, %.0f MB", median(ours), memory/1e6),
		"accord train --dataset mnist --data DIR --epochs 5 --batch 32 --optimizer adam --json")}, nil
}

// round compares rounds of FedAvg in simulation.
func (b *bench) round() ([]page.Row, error) {
	var ratios, ours, theirs []float64
	version := ""
	args := []string{"simulate", "--dataset", "mnist", "--data", b.mnist, "--sites", "100", "--fraction", "0.1", "--partition", "iid",
		"--rounds", "12", "--epochs", "5", "--batch", "10", "--optimizer", "sgd", "--lr", "0.1"}
	for i := range b.repeats {
		folder := fmt.Sprintf("round-%d", i)
		if _, _, err := b.accord.Run(b.ctx, nil, append(args, "--out", folder, "--json")...); err != nil {
			return nil, err
		}
		our, err := roundSeconds(filepath.Join(b.accord.Dir, folder, "metrics.jsonl"))
		if err != nil {
			return nil, err
		}
		var p peer
		if _, err := b.python.run(b.ctx, &p, torch, "flower_rounds.py", "--data", b.mnist, "--rounds", "5", "--out", filepath.Join(b.python.home, "flower.json")); err != nil {
			return nil, err
		}
		if len(p.Rounds) < 2 {
			return nil, fmt.Errorf("flower_rounds.py: %d rounds", len(p.Rounds))
		}
		var seconds []float64
		for _, r := range p.Rounds[1:] { // the first one loads the data
			seconds = append(seconds, r.Seconds)
		}
		version = p.Version
		ours, theirs, ratios = append(ours, our), append(theirs, median(seconds)), append(ratios, median(seconds)/our)
	}
	what := fmt.Sprintf("a round of FedAvg in simulation, evaluation included, MNIST, 100 sites, C = 0.1, E = 5, B = 10, against Flower %s: %.2f s", version, median(theirs))
	return []page.Row{ratio(what, bar{9, 12}, ratios, fmt.Sprintf("%.2f s", median(ours)), strings.ReplaceAll("accord "+strings.Join(args, " ")+" --json", b.mnist, "DIR"))}, nil
}

// roundSeconds is the median time from one round's publication to the next.
func roundSeconds(metrics string) (float64, error) {
	data, err := os.ReadFile(metrics)
	if err != nil {
		return 0, err
	}
	var rounds []float64
	last := 0.0
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		var line struct{ Seconds float64 }
		err := d.Decode(&line)
		switch {
		case errors.Is(err, io.EOF) && len(rounds) > 1:
			return median(rounds[1:]), nil // the first one loads the data
		case err != nil:
			return 0, fmt.Errorf("%s: %w after %d rounds", metrics, err, len(rounds))
		}
		rounds, last = append(rounds, line.Seconds-last), line.Seconds
	}
}

// trainBench runs `accord bench train` on MNIST.
func (b *bench) trainBench(env []string, args ...string) (r benchTrain, err error) {
	err = b.accord.JSON(b.ctx, &r, env, append([]string{"bench", "train", "--dataset", "mnist", "--data", b.mnist}, args...)...)
	return r, err
}
