package main

import (
	"fmt"
	"io"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/safetensors"
)

// define makes a run file's run one that a coordinator takes. spec is nil for
// a run of which only the contract is known.
func define(cfg config.Run, spec *model.Spec, contract model.Contract) coordinator.Definition {
	schedule := cfg.Local.LRSchedule
	if schedule == optim.Constant {
		schedule = "" // left out, as in journals from before there were schedules
	}
	return coordinator.Definition{
		Name: cfg.Name, Seed: cfg.Seed, Contract: contract, Spec: spec, Plan: cfg.Local.Plan(), LRSchedule: schedule, Dataset: cfg.Dataset,
		Strategy: cfg.Strategy, ServerLR: cfg.ServerLR,
		Weighted: cfg.Weighting == config.WeightSamples, MaxSamples: cfg.MaxSamples,
		Rounds: cfg.Rounds, Fraction: cfg.Fraction, MinSites: cfg.MinSites, StopAt: cfg.StopAt, Retries: cfg.Retries,
		Window:       round.Window{Minimum: cfg.Window.Minimum, Deadline: cfg.Window.Deadline},
		FrozenCohort: cfg.Frozen,
	}
}

// startFrom settles a run's contract and first weights. initial is a
// safetensors file of size bytes, or nil: then the weights are nil too, and
// drawn by the seed. how says how the file's tensors were matched. Whether the
// weights are finite is not looked at.
func startFrom(spec *model.Spec, initial io.ReaderAt, size int64) (c model.Contract, f *model.File, how string, err error) {
	switch {
	case spec != nil && initial == nil:
		return spec.Contract(), nil, "", nil
	case spec != nil:
		c = spec.Contract()
		f, how, err = model.MatchFile(initial, size, c)
		return c, f, how, err
	case initial == nil:
		return c, nil, "", fault.Inputf("a run needs a model or an initial safetensors file")
	}
	head, err := safetensors.Open(initial, size)
	if err != nil {
		return c, nil, "", fmt.Errorf("initial model: %w", err)
	}
	if c, err = model.ContractOf(head); err != nil {
		return c, nil, "", fmt.Errorf("initial model: %w", err)
	}
	f, err = model.OpenFile(initial, size, c)
	return c, f, "as it is: its tensors are the run's contract", err
}
