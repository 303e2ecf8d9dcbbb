package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// training compares the whole process of five epochs, with loading and evaluation.
func (b *bench) training(ctx context.Context) ([]page.Row, error) {
	ourArgs := []string{"train", "--dataset", "mnist", "--data", b.mnist, "--epochs", "5", "--batch", "32", "--optimizer", "adam", "--threads", "2"}
	theirArgs := []string{"--data", b.mnist, "--epochs", "5", "--batch", "32", "--threads", "2"}
	var seconds duel
	var ourMemory, theirMemory []float64
	kernel := ""
	for i := range b.repeats {
		out, ours, err := b.accord.Run(ctx, nil, append(ourArgs[:len(ourArgs):len(ourArgs)], "--out", fmt.Sprintf("train-%d", i), "--json")...)
		if err != nil {
			return nil, err
		}
		var s struct {
			PeakRSS float64 `json:"peak_rss_bytes"`
			Kernel  string  `json:"kernel"`
		}
		if err := json.Unmarshal(out, &s); err != nil {
			return nil, fmt.Errorf("accord train: %w", err)
		}
		var p peer
		theirs, err := b.python.run(ctx, &p, keras, "keras_fit.py", theirArgs...)
		if err != nil {
			return nil, err
		}
		if err := positive("the memory of accord train and keras_fit.py", s.PeakRSS, p.PeakRSS); err != nil {
			return nil, err
		}
		kernel, seconds.peer = s.Kernel, "Keras "+p.Version
		seconds.add(ours.Seconds(), theirs.Seconds(), theirs.Seconds()/ours.Seconds())
		ourMemory, theirMemory = append(ourMemory, s.PeakRSS/1e6), append(theirMemory, p.PeakRSS/1e6)
		if err := b.tell("%s: %.1f s, ours %.1f s", seconds.peer, theirs.Seconds(), ours.Seconds()); err != nil {
			return nil, err
		}
	}
	row := against(page.Row{
		What:   "`accord train`, 5 epochs of MNIST with an evaluation after each, whole process and its memory at the peak, against Keras' `fit(epochs=5)` and one `evaluate`, 2 threads",
		Kernel: kernel,
		Command: b.command("train", append(append([]string{"accord"}, ourArgs...), "--json"),
			append([]string{"python", "keras_fit.py"}, theirArgs...)),
	}, bar{6, 9, times}, []duel{seconds}, " s", 1)
	row.Figure += fmt.Sprintf(", %.0f MB", median(ourMemory))
	row.Peer += fmt.Sprintf(", %.0f MB", median(theirMemory))
	return []page.Row{row}, nil
}
