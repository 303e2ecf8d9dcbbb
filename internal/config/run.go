package config

import (
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/model/optim"
)

// Run is a training job. The same file drives `accord simulate -f` and
// `accord run submit -f`.
type Run struct {
	Name       string     `yaml:"name"` // keys all training randomness, together with Seed
	Seed       uint64     `yaml:"seed"`
	Model      Model      `yaml:"model"`
	Dataset    string     `yaml:"dataset,omitempty"` // which of its data sets each site trains on; "" leaves it to the site
	Init       string     `yaml:"init,omitempty"`    // a safetensors file to start from; "" starts from the spec's initialisation
	Rounds     int        `yaml:"rounds"`
	Fraction   float64    `yaml:"fraction"`             // share of the sites that a round selects, in (0, 1]
	MinSites   int        `yaml:"min_sites"`            // round 1 waits for so many
	StopAt     float64    `yaml:"stop_at,omitempty"`    // accuracy that ends the run, in (0, 1]; 0 runs all rounds
	Strategy   string     `yaml:"strategy"`             // fedavg
	ServerLR   float64    `yaml:"server_lr"`            // how far the model moves along the mean update; 1 is plain averaging
	Weighting  string     `yaml:"weighting"`            // samples or uniform
	MaxSamples int64      `yaml:"max_samples"`          // an update that claims more is rejected
	Window     Window     `yaml:"window"`               // when a round stops waiting
	Retries    int        `yaml:"retries"`              // how often a failed round is tried again before the run fails
	Frozen     bool       `yaml:"frozen_cohort"`        // a site that is lost in mid-round is not replaced
	Local      Local      `yaml:"local"`                // what a site does in a round
	Simulation Simulation `yaml:"simulation,omitempty"` // read by simulate alone
}

// Window bounds how long a round waits for updates: it closes when all
// selected sites have answered, or at the deadline, if at least Minimum of them
// have given an update; with fewer the round is tried again.
type Window struct {
	Minimum  int           `yaml:"minimum,omitempty"` // 0: two, or half of the selected sites if that is more; one of one
	Deadline time.Duration `yaml:"deadline"`
}

// Weightings of updates.
const (
	WeightSamples = "samples" // by the number of training samples
	WeightUniform = "uniform" // all alike
)

// Defaults returns the run that an empty file describes.
func Defaults() Run {
	return Run{
		Name:       "run",
		Seed:       1,
		Model:      Model{Reference: true},
		Rounds:     12,
		Fraction:   1,
		MinSites:   2,
		Strategy:   "fedavg",
		ServerLR:   1,
		Weighting:  WeightSamples,
		MaxSamples: 1_000_000,
		Window:     Window{Deadline: 10 * time.Minute},
		Retries:    3,
		Local:      DefaultLocal(optim.SGD),
		Simulation: Simulation{Data: Data{Dataset: "digits"}, Sites: 10},
	}
}

// Load reads the run file at path. Relative paths in it are taken from its
// folder, and a spec file that it names is read in. Errors are of class
// fault.Input and name the file, the line and the key.
func Load(path string) (Run, error) {
	data, err := readFile(path)
	if err != nil {
		return Run{}, err
	}
	base := filepath.Dir(path)
	return parseRun(path, data, func(r *Run) error {
		r.Init = under(base, r.Init)
		r.Simulation.Data.resolve(base)
		return r.Model.readFile(base)
	})
}

// Parse reads a run from data, such as one that came over the network; name
// is what errors call it. It opens no files: a spec that is in a file of its
// own is an error.
func Parse(name string, data []byte) (Run, error) {
	return parseRun(name, data, func(r *Run) error {
		if r.Model.File != "" {
			return Problems{{Path: "model.spec", Text: "the spec must be written out here: this run is not read from a file"}}
		}
		return nil
	})
}

// parseRun decodes data over the defaults, has resolve deal with the files
// that the run names, and validates the result.
func parseRun(name string, data []byte, resolve func(*Run) error) (Run, error) {
	run := Defaults()
	doc, err := parse(name, data)
	if err != nil {
		return run, err
	}
	if optimizer, ok := doc.node("local.optimizer").(*ast.StringNode); ok {
		run.Local = DefaultLocal(optimizer.Value)
	}
	if err := doc.decode(&run); err != nil {
		return run, err
	}
	if err := run.Model.readSpec(doc); err != nil {
		return run, err
	}
	if err := resolve(&run); err != nil {
		return run, doc.locate(err)
	}
	return run, doc.locate(run.Validate())
}

// Marshal writes the run as YAML that Parse reads back to the same value. It
// fails when the spec is still in a file of its own.
func (r Run) Marshal() ([]byte, error) {
	if r.Model.File != "" {
		return nil, fmt.Errorf("write run %s: spec file %s was not read", r.Name, r.Model.File)
	}
	return yaml.MarshalWithOptions(r, yaml.UseJSONMarshaler()) // a spec has its own JSON form
}

// Validate reports, as Problems, every field that makes no sense. It changes
// nothing and opens no files.
func (r Run) Validate() error {
	var c checker
	c.require(exchange.ValidName(r.Name), "name", "%q cannot name a run: %s", r.Name, nameRule)
	c.require(r.Model.Spec != nil || r.Model.Reference || r.Model.File != "" || r.Init != "", "model",
		"opaque needs an initial model in init, whose tensors are the run's")
	c.require(r.Dataset == "" || exchange.ValidName(r.Dataset), "dataset", "%q cannot name a site's data set: %s", r.Dataset, nameRule)
	c.require(r.Rounds >= 1, "rounds", "want 1 or more, got %d", r.Rounds)
	c.atMost(r.Rounds, exchange.MaxRounds, "rounds")
	c.require(r.Fraction > 0 && r.Fraction <= 1, "fraction", "want a share above 0 and at most 1, got %v", r.Fraction)
	c.require(r.MinSites >= 1, "min_sites", "want 1 or more, got %d", r.MinSites)
	c.require(r.StopAt >= 0 && r.StopAt <= 1, "stop_at", "want an accuracy above 0 and at most 1 (0.99 is 99 %%), got %v", r.StopAt)
	c.require(r.Strategy == "fedavg", "strategy", "%q is not known; want fedavg", r.Strategy)
	c.positive(r.ServerLR, "server_lr")
	c.require(r.Weighting == WeightSamples || r.Weighting == WeightUniform, "weighting",
		"%q is not known; want %s or %s", r.Weighting, WeightSamples, WeightUniform)
	c.require(r.MaxSamples >= 1, "max_samples", "want 1 or more, got %d", r.MaxSamples)
	c.require(r.Window.Minimum >= 0, "window.minimum", "want 1 or more, or 0 for two, or half of the selected sites if that is more, got %d", r.Window.Minimum)
	c.require(r.Window.Deadline > 0, "window.deadline", "want a time above 0, got %v", r.Window.Deadline)
	c.require(r.Retries >= 0, "retries", "want 0 or more, got %d", r.Retries)
	r.Local.check(&c, "local.")
	r.Simulation.check(&c, "simulation.")
	return c.err()
}

// nameRule says what exchange.ValidName wants.
const nameRule = "letters, digits, '.', '_' and '-', starting with a letter or digit, at most 64"

// atMost notes a problem when v is above limit, which sites refuse.
func (c *checker) atMost(v, limit int, path string) {
	c.require(v <= limit, path, "want at most %d, got %d", limit, v)
}

// positive notes a problem unless v is a finite number above 0.
func (c *checker) positive(v float64, path string) {
	c.require(v > 0 && !math.IsInf(v, 1), path, "want a finite number above 0, got %v", v)
}
