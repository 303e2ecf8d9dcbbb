package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/scripts/bench/internal/federation"
	"github.com/accord-fl/accord/scripts/bench/internal/page"
)

// Models that no built-in engine trains, in elements of 4 bytes.
const (
	hundredMB = 25_000_000
	oneGB     = 250_000_000
)

// large is about rounds of models that a process should not hold.
func (b *bench) large() ([]page.Row, error) {
	var rows []page.Row
	for _, m := range []struct {
		size             string
		elements, rounds int
		bar              string
		below, stretch   float64 // seconds
	}{
		{"100 MB", hundredMB, 6, "< 2 s (Flower 1.41: 11.2 s, 1.07 GB and 1.58 GB)", 2, 0},
		{"1 GB", oneGB, 4, "< 25 s (stretch 15 s) (Flower 1.41: 86.8 s, 11.5 GB)", 25, 15},
	} {
		f, err := b.rounds(m.elements, 4, m.rounds)
		if err != nil {
			return nil, err
		}
		rows = append(rows, page.Row{
			What: fmt.Sprintf("a round of a model of %s, 4 sites that change each weight, loopback, durable, all on one disk: median of %d", m.size, m.rounds-1),
			Bar:  m.bar, Figure: fmt.Sprintf("%.1f s (%.1f to %.1f)", f.median, f.least, f.most),
			Holds: f.median < m.below, Stretch: f.median < m.stretch, Command: "go run ./scripts/bench -only large",
		}, page.Row{
			What: "the same: the coordinator's memory at the peak", Bar: "< 300 MB",
			Figure: fmt.Sprintf("%.0f MB", f.memory), Holds: f.memory < 300, Command: "go run ./scripts/bench -only large",
		})
	}
	return rows, nil
}

// crowd is about memory that must not grow with the number of sites.
func (b *bench) crowd() ([]page.Row, error) {
	few, err := b.rounds(hundredMB, 4, 2)
	if err != nil {
		return nil, err
	}
	many, err := b.rounds(hundredMB, 50, 2)
	if err != nil {
		return nil, err
	}
	return []page.Row{{
		What: "a model of 100 MB, 50 sites that change each weight: the coordinator's memory at the peak, against that with 4", Bar: "within 10 %",
		Figure: fmt.Sprintf("%.0f MB against %.0f MB", many.memory, few.memory),
		Holds:  many.memory < 1.1*few.memory, Command: "go run ./scripts/bench -only crowd",
	}}, nil
}

// figures of some rounds: seconds without the first round, and MB.
type figures struct{ median, least, most, memory float64 }

// rounds has sites do some rounds of a model of so many elements.
func (b *bench) rounds(elements, sites, rounds int) (_ figures, err error) {
	f, err := federation.Start(b.ctx, b.accord)
	if err != nil {
		return figures{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	f.Perturb = true
	for i := range sites {
		if err := f.Join(fmt.Sprintf("site-%02d", i+1), f.Address, 0); err != nil {
			return figures{}, err
		}
	}
	if err := b.submitLarge(f, elements, sites, rounds); err != nil {
		return figures{}, err
	}
	if _, err := f.Coordinator.Await(b.ctx, "run ended", 0); err != nil {
		return figures{}, err
	}
	peak, err := f.Coordinator.Peak()
	if err != nil {
		return figures{}, err
	}
	published := f.Coordinator.Entries("version published")
	if len(published) != rounds {
		return figures{}, fmt.Errorf("%d rounds of %d were published", len(published), rounds)
	}
	var took []float64
	for i := 1; i < len(published); i++ {
		took = append(took, published[i].Time.Sub(published[i-1].Time).Seconds())
	}
	slices.Sort(took)
	return figures{took[len(took)/2], took[0], took[len(took)-1], float64(peak) / 1e6}, nil
}

// submitLarge queues a run of a model of so many elements.
func (b *bench) submitLarge(f *federation.Federation, elements, sites, rounds int) (err error) {
	const tensors = 10
	var contract model.Contract
	for i := range tensors {
		contract.Tensors = append(contract.Tensors, model.TensorSpec{Name: fmt.Sprintf("block.%d.weight", i), DType: "F32", Shape: []int{elements / tensors}})
	}
	initial := filepath.Join(b.accord.Dir, "initial.safetensors")
	defer func() { err = errors.Join(err, os.Remove(initial)) }()
	file, err := os.Create(initial)
	if err != nil {
		return err
	}
	if err := errors.Join(contract.Write(file, federation.Noise(1)), file.Close()); err != nil {
		return err
	}
	return f.Submit(fmt.Sprintf("name: large\nmodel: opaque\ninit: %q\nrounds: %d\nmin_sites: %d\nwindow: {deadline: 1h, minimum: %d}\n", initial, rounds, sites, sites))
}
