package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// Sizes of models, in elements of 4 bytes.
const (
	hundredMB = 25_000_000
	oneGB     = 250_000_000
)

// large are rounds of models that no built-in engine trains: 4 sites.
func (b *bench) large() ([]page.Row, error) {
	var rows []page.Row
	for _, m := range []struct {
		what             string
		elements, rounds int
		seconds, stretch float64
		peer             string
		memory           float64 // MB
	}{
		{"100 MB", hundredMB, 6, 2, 0, "NVFlare 2.9, Flower 1.41: 11.2 s, 1.07 GB and more", 300},
		{"1 GB", oneGB, 4, 25, 15, "86.8 s, 11.5 GB", 300},
	} {
		r, err := b.rounds(m.elements, 4, m.rounds)
		if err != nil {
			return nil, err
		}
		bar := fmt.Sprintf("< %.0f s", m.seconds)
		if m.stretch > 0 {
			bar += fmt.Sprintf(" (stretch %.0f s)", m.stretch)
		}
		rows = append(rows, page.Row{
			What: "a round of a model of " + m.what + ", 4 sites that change each weight, over loopback, durable, median of " + fmt.Sprint(m.rounds-1),
			Bar:  bar + " (" + m.peer + ")", Figure: fmt.Sprintf("%.2f s", r.seconds),
			Holds: r.seconds < m.seconds, Stretch: m.stretch > 0 && r.seconds < m.stretch, Command: largeCommand,
		}, page.Row{
			What: "the same: the coordinator's resident memory at the peak", Bar: fmt.Sprintf("< %.0f MB", m.memory),
			Figure: fmt.Sprintf("%.0f MB", r.memory), Holds: r.memory < m.memory, Command: largeCommand,
		})
	}
	return rows, nil
}

const largeCommand = "go run ./scripts/bench -only large"

// crowd is about memory that must not grow with the number of sites.
func (b *bench) crowd() ([]page.Row, error) {
	few, err := b.rounds(hundredMB, 4, 3)
	if err != nil {
		return nil, err
	}
	many, err := b.rounds(hundredMB, 50, 3)
	if err != nil {
		return nil, err
	}
	return []page.Row{{
		What: "a model of 100 MB, 50 sites: the coordinator's resident memory at the peak, against 4 sites", Bar: "± 10 %",
		Figure: fmt.Sprintf("%.0f MB against %.0f MB, a round %.1f s", many.memory, few.memory, many.seconds),
		Holds:  many.memory < 1.1*few.memory, Command: "go run ./scripts/bench -only crowd",
	}}, nil
}

// figures of some rounds.
type figures struct {
	seconds float64 // a round, median without the first
	memory  float64 // the coordinator's, in MB
}

// rounds has sites that change each weight do some rounds of a model.
func (b *bench) rounds(elements, sites, rounds int) (f figures, err error) {
	dir, err := os.MkdirTemp(b.accord.Dir, "large-")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := b.coordinate(dir, "127.0.0.1:0")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := b.submitLarge(dir, c.address, elements, sites, rounds); err != nil {
		return f, err
	}
	leave := attend(b.ctx, dir, c.address, sites)
	_, _, err = b.accord.Run(b.ctx, nil, "run", "watch", "large", "--coordinator", c.address)
	if err := errors.Join(err, leave()); err != nil {
		return f, err
	}
	if f.memory, err = c.peak(); err != nil {
		return f, err
	}
	f.seconds, err = medianRound(filepath.Join(dir, "coordinator", "runs", "large", "metrics.jsonl"))
	return f, err
}

// submitLarge queues a run of a model of so many elements.
func (b *bench) submitLarge(dir, address string, elements, sites, rounds int) error {
	initial := filepath.Join(dir, "initial.safetensors")
	contract := model.Contract{}
	const tensors = 10
	for i := range tensors {
		contract.Tensors = append(contract.Tensors, model.TensorSpec{Name: fmt.Sprintf("block.%d.weight", i), DType: "F32", Shape: []int{elements / tensors}})
	}
	if err := atomicfile.Write(initial, func(w io.Writer) error { return contract.Write(w, noise{1}) }); err != nil {
		return err
	}
	file := filepath.Join(dir, "run.yaml")
	text := fmt.Sprintf("name: large\nmodel: opaque\ninit: initial.safetensors\nrounds: %d\nmin_sites: %d\nwindow: {deadline: 1h, minimum: %d}\n", rounds, sites, sites)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	if _, _, err := b.accord.Run(b.ctx, nil, "run", "submit", "-f", file, "--coordinator", address); err != nil {
		return err
	}
	return os.Remove(initial)
}

// medianRound is the median time from one version to the next.
func medianRound(metrics string) (float64, error) {
	data, err := os.ReadFile(metrics)
	if err != nil {
		return 0, err
	}
	var took []float64
	var before float64
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		var line struct{ Seconds float64 }
		err := d.Decode(&line)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", metrics, err)
		}
		if before > 0 {
			took = append(took, line.Seconds-before)
		}
		before = line.Seconds
	}
	if len(took) == 0 {
		return 0, fmt.Errorf("%s: fewer than two rounds", metrics)
	}
	fmt.Fprintf(os.Stderr, "  rounds: %.2f s\n", took)
	slices.Sort(took)
	return took[len(took)/2], nil
}

// noise is a vector of small numbers, different in each place.
type noise struct{ seed uint32 }

// ReadAt implements model.Vector.
func (n noise) ReadAt(dst []float32, off int) error {
	for i := range dst {
		x := (uint32(off+i) + n.seed*0x9e3779b9) * 2654435761 // a multiplicative hash
		x ^= x >> 15
		dst[i] = float32(int32(x)) * (1.0 / (1 << 36))
	}
	return nil
}
