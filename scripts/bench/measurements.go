package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// measurement is something that the project promises a figure for.
type measurement struct {
	name    string
	measure func(*bench) ([]page.Row, error)
}

func measurements() []measurement {
	return []measurement{
		{"default", (*bench).defaultRun},
		{"sites", (*bench).thousandSites},
		{"central", (*bench).central},
		{"fedavg", (*bench).fedavg},
		{"idle", (*bench).idle},
		{"rest", (*bench).atRest},
		{"lost", (*bench).lost},
		{"flood", (*bench).flooded},
		{"siege", (*bench).besieged},
		{"large", (*bench).large},
		{"crowd", (*bench).crowd},
		{"many", (*bench).many},
		{"resume", (*bench).resume},
	}
}

// summary is what accord prints with --json.
type summary struct {
	Accuracy         *float64  `json:"accuracy"`
	AccuracyStd      float64   `json:"accuracy_std"`
	Seconds          float64   `json:"seconds"`
	TrainSeconds     float64   `json:"train_seconds"`
	SamplesPerSecond float64   `json:"samples_per_second"`
	PeakRSS          int64     `json:"peak_rss_bytes"`
	Seed             uint64    `json:"seed"`
	Digest           string    `json:"model_digest"`
	Runs             []summary `json:"runs"`
	Baselines        struct {
		Sites   map[string]float64 `json:"sites"`
		Central float64            `json:"central"`
	} `json:"baselines"`
}

// measureJSON runs a verb with --json.
func (b *bench) measureJSON(args ...string) (s summary, err error) {
	if err := b.accord.JSON(b.ctx, &s, nil, args...); err != nil {
		return s, err
	}
	if s.Accuracy == nil {
		return s, fmt.Errorf("accord %s: no accuracy", args[0])
	}
	return s, nil
}

// defaultRun is what a newcomer types.
func (b *bench) defaultRun() ([]page.Row, error) {
	_, elapsed, err := b.accord.Run(b.ctx, nil, "simulate")
	if err != nil {
		return nil, err
	}
	// The same again, for a machine to read.
	s, err := b.measureJSON("simulate", "--baselines")
	if err != nil {
		return nil, err
	}
	alone := slices.Max(slices.Collect(maps.Values(s.Baselines.Sites)))
	lead, gap := 100*(*s.Accuracy-alone), 100*(s.Baselines.Central-*s.Accuracy)
	return []page.Row{{
		What: "`accord simulate` without flags, baselines included", Bar: "< 30 s on two cores",
		Figure: fmt.Sprintf("%.0f s", elapsed.Seconds()), Holds: elapsed < 30*time.Second, Command: "accord simulate",
	}, {
		What: "its federated model against the best site alone", Bar: "≥ 5 points better",
		Figure: fmt.Sprintf("%.1f %% against %.1f %%", 100**s.Accuracy, 100*alone), Holds: lead >= 5, Command: "accord simulate",
	}, {
		What: "its federated model against all data in one place", Bar: "within 3 points",
		Figure: fmt.Sprintf("%.1f %% against %.1f %%", 100**s.Accuracy, 100*s.Baselines.Central), Holds: gap <= 3, Command: "accord simulate",
	}}, nil
}

// thousandSites is about memory.
func (b *bench) thousandSites() ([]page.Row, error) {
	args := []string{"simulate", "--sites", "1000", "--samples-per-site", "10", "--rounds", "1", "--epochs", "1"}
	s, err := b.measureJSON(args...)
	if err != nil {
		return nil, err
	}
	return []page.Row{{
		What: "1,000 virtual sites, all of them in every round: memory at the peak", Bar: "< 1 GiB",
		Figure: fmt.Sprintf("%.0f MiB", float64(s.PeakRSS)/(1<<20)), Holds: s.PeakRSS > 0 && s.PeakRSS < 1<<30,
		Command: "accord " + strings.Join(args, " ") + " --json",
	}}, nil
}

// central is the yardstick: the reference network on all of MNIST. One seed's
// accuracy differs from another's by a tenth of a point, so it takes ten.
func (b *bench) central() ([]page.Row, error) {
	var accuracies, speeds []float64
	for seed := 1; seed <= 10; seed++ {
		number := strconv.Itoa(seed)
		s, err := b.measureJSON("train", "--dataset", "mnist", "--data", b.mnist, "--epochs", "5", "--batch", "32", "--optimizer", "adam", "--seed", number, "--out", "central-"+number)
		if err != nil {
			return nil, err
		}
		accuracies, speeds = append(accuracies, 100**s.Accuracy), append(speeds, s.SamplesPerSecond)
	}
	const command = "accord train --dataset mnist --data DIR --epochs 5 --batch 32 --optimizer adam --seed 1 --json"
	all, three := mean(accuracies), mean(accuracies[:3])
	return []page.Row{{
		What: "reference network in one place, MNIST, 5 epochs, Adam, batch 32, mean of 3 seeds",
		Bar:  "≥ 99.0 % (PyTorch 2.15: 99.07: 99.10, 99.12, 98.99)",
		Figure: fmt.Sprintf("%.2f %% (%.2f, %.2f, %.2f) at %.0f samples/s",
			three, accuracies[0], accuracies[1], accuracies[2], mean(speeds)),
		Holds:   three >= 99,
		Command: command,
	}, {
		What:    "the same, mean of 10 seeds",
		Bar:     "≥ 99.0 %",
		Figure:  fmt.Sprintf("%.2f %% (%.2f to %.2f)", all, slices.Min(accuracies), slices.Max(accuracies)),
		Holds:   all >= 99,
		Command: command,
	}}, nil
}

// peerByRound is Flower 1.41 with PyTorch 2.15 on the same work, rounds 1–5.
var peerByRound = []float64{92.0, 96.0, 96.5, 97.5, 97.7}

// loopByRound is a plain PyTorch loop on the same work.
var loopByRound = map[int]float64{5: 97.5, 10: 98.2, 20: 98.6}

// fedavg is the accuracy by round on MNIST over 100 sites, the mean of three
// seeds: one seed's rounds differ from another's by half a point.
func (b *bench) fedavg() ([]page.Row, error) {
	out := "fedavg"
	args := []string{"simulate", "--dataset", "mnist", "--data", b.mnist, "--sites", "100", "--fraction", "0.1", "--partition", "iid",
		"--rounds", "20", "--epochs", "5", "--batch", "10", "--optimizer", "sgd", "--lr", "0.1", "--seeds", "1..3", "--out", out}
	s, err := b.measureJSON(args...)
	if err != nil {
		return nil, err
	}
	accuracy := map[int]float64{}
	var seconds, speeds []float64
	for _, r := range s.Runs {
		one, err := byRound(filepath.Join(b.accord.Dir, out, fmt.Sprintf("seed-%d", r.Seed), "metrics.jsonl"))
		if err != nil {
			return nil, err
		}
		for n, a := range one {
			accuracy[n] += a / float64(len(s.Runs))
		}
		seconds, speeds = append(seconds, r.Seconds/20), append(speeds, r.SamplesPerSecond)
	}
	command := strings.ReplaceAll("accord "+strings.Join(args, " ")+" --json", b.mnist, "DIR")
	var figures, bars []string
	holds := true
	for i, bar := range peerByRound {
		figures, bars = append(figures, fmt.Sprintf("%.2f", accuracy[i+1])), append(bars, fmt.Sprintf("%.1f", bar))
		holds = holds && accuracy[i+1] >= bar
	}
	rows := []page.Row{{
		What: "FedAvg, MNIST, 100 sites, C = 0.1, E = 5, B = 10, SGD 0.1, IID: accuracy after rounds 1–5, mean of 3 seeds",
		Bar:  "≥ " + strings.Join(bars, ", ") + " % (Flower 1.41 + PyTorch 2.15)", Figure: strings.Join(figures, ", ") + " %",
		Holds: holds, Command: command,
	}}
	for _, n := range []int{5, 10, 20} {
		rows = append(rows, page.Row{
			What: fmt.Sprintf("the same after round %d", n), Bar: fmt.Sprintf("≥ %.1f %% (plain PyTorch loop)", loopByRound[n]),
			Figure: fmt.Sprintf("%.2f %%", accuracy[n]), Holds: accuracy[n] >= loopByRound[n], Command: command,
		})
	}
	rows = append(rows, page.Row{
		What: "the same: a round, all of it", Bar: "– (Flower 1.41: 7.1–7.8 s)",
		Figure: fmt.Sprintf("%.1f s, %.0f samples/s in training", mean(seconds), mean(speeds)), Holds: true, Command: command,
	})
	return rows, nil
}

// byRound reads the accuracies, in per cent, of a run folder's metrics.
func byRound(path string) (map[int]float64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	accuracy := map[int]float64{}
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		var line struct {
			Round    int
			Accuracy *float64
		}
		err := d.Decode(&line)
		if errors.Is(err, io.EOF) {
			return accuracy, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if line.Accuracy == nil {
			return nil, fmt.Errorf("%s: round %d has no accuracy", path, line.Round)
		}
		accuracy[line.Round] = 100 * *line.Accuracy
	}
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
