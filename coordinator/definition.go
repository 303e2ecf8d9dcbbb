package coordinator

import (
	"bytes"
	"encoding/json"
	"math"
	"time"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
)

// Definition describes a run completely: the journal keeps it, and all that
// is done for the run follows from it.
type Definition struct {
	Name     string         `json:"name"`
	Seed     uint64         `json:"seed"`
	Contract model.Contract `json:"contract"`
	// Spec is what the built-in engine trains. Without one the contract is
	// all that is known: participants train with programs of their own, and
	// accuracy is not measured.
	Spec *model.Spec `json:"spec,omitempty"`
	Plan train.Plan  `json:"plan"` // of round 1
	// LRSchedule is how the plan's learning rate falls over the rounds. Sites
	// know nothing of it: a task's plan holds the rate of its round.
	LRSchedule optim.Schedule `json:"lr_schedule,omitempty"`
	// Dataset is which of its data sets each site trains on; "" leaves it to
	// the site.
	Dataset  string  `json:"dataset,omitempty"`
	Strategy string  `json:"strategy"` // aggregation.Preset
	ServerLR float64 `json:"server_lr"`
	// Weighted weighs updates by their sample counts, which then leave the
	// sites; otherwise all weigh the same.
	Weighted   bool         `json:"weighted"`
	MaxSamples int64        `json:"max_samples"` // a larger claim is rejected
	Rounds     int          `json:"rounds"`
	Fraction   float64      `json:"fraction"`
	MinSites   int          `json:"min_sites"`
	StopAt     float64      `json:"stop_at"`
	Retries    int          `json:"retries"`
	Window     round.Window `json:"window"` // of the training exchange
	// FrozenCohort forbids replacing a site that is lost in mid-round.
	FrozenCohort bool `json:"frozen_cohort,omitempty"`
}

// DefaultDefinition is plain FedAvg over every attending site.
func DefaultDefinition() Definition {
	return Definition{
		Name: "run", Seed: 1, Strategy: "fedavg", ServerLR: 1, Weighted: true,
		MaxSamples: 10_000_000, Rounds: 10, Fraction: 1, MinSites: 1, Retries: 3,
		Window: round.Window{Deadline: 10 * time.Minute},
	}
}

// Validate reports what cannot be run; it changes nothing.
func (d Definition) Validate() error {
	if !exchange.ValidName(d.Name) {
		return fault.Inputf("run name %.80q is not valid: letters, digits, '.', '_' and '-', at most 64", d.Name)
	}
	if d.Dataset != "" && !exchange.ValidName(d.Dataset) {
		return fault.Inputf("run %s: data set name %.80q is not valid", d.Name, d.Dataset)
	}
	if len(d.Contract.Tensors) == 0 {
		return fault.Inputf("run %s: its contract has no tensors", d.Name)
	}
	if d.Spec != nil && d.Spec.Contract().Hash() != d.Contract.Hash() {
		return fault.Inputf("run %s: its spec and its contract differ", d.Name)
	}
	if !(d.ServerLR > 0) || math.IsInf(d.ServerLR, 0) {
		return fault.Inputf("run %s: server_lr: got %g, want a finite number above 0", d.Name, d.ServerLR)
	}
	if err := d.Plan.Validate(); err != nil {
		return fault.Inputf("run %s: %w", d.Name, err)
	}
	if err := d.LRSchedule.Validate(); err != nil {
		return fault.Inputf("run %s: lr_schedule: %w", d.Name, err)
	}
	if err := d.config().Validate(); err != nil {
		return fault.Inputf("run %s: %w", d.Name, err)
	}
	return nil
}

// config is the part of the definition that the state machine decides by.
func (d Definition) config() round.Config {
	return round.Config{
		Rounds: d.Rounds, Fraction: d.Fraction, MinSites: d.MinSites,
		Exchanges:  []round.Exchange{{Name: exchange.Training, Window: d.Window}},
		MaxSamples: d.MaxSamples, Weighted: d.Weighted, StopAt: d.StopAt, Retries: d.Retries, Quorum: round.Quorum,
		FrozenCohort: d.FrozenCohort,
	}
}

// task fills in what a participant needs to do a training task, one of cohort of
// which minimum are enough.
func (d Definition) task(o round.Offer, cohort, minimum int, modelBytes int64) exchange.Task {
	return exchange.Task{
		ID: o.Task.ID, Run: d.Name, Round: o.Round, Exchange: exchange.Training,
		Participant: o.Task.Participant, Seed: d.Seed,
		Model:    exchange.Artefact{Digest: o.Model, Bytes: modelBytes},
		Contract: d.Contract, Spec: d.Spec, Plan: d.planOf(o.Round),
		SendSamples: d.Weighted, Deadline: o.Deadline,
		Strategy: d.Strategy, Rounds: d.Rounds, Cohort: cohort, Minimum: minimum, Dataset: d.Dataset, Redone: o.Redone,
	}
}

// planOf returns the plan of a round.
func (d Definition) planOf(round int) train.Plan {
	plan := d.Plan
	plan.Optimizer.LR = d.LRSchedule.Rate(plan.Optimizer.LR, round)
	return plan
}

// Equal reports whether two definitions describe the same run.
func (d Definition) Equal(other Definition) bool {
	a, errA := json.Marshal(d)
	b, errB := json.Marshal(other)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}
