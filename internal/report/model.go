package report

import (
	"errors"

	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// Model is model.json: what model.safetensors beside it holds and how it came
// to be. The digest covers tensors and contract only, so everything else about
// a model is told here.
type Model struct {
	Digest           string      `json:"digest"` // SHA-256 of model.safetensors
	Spec             *model.Spec `json:"spec,omitempty"`
	Accuracy         *float64    `json:"accuracy"` // on the test set; null: not measured
	Loss             *float64    `json:"loss"`
	PerClassAccuracy []float64   `json:"per_class_accuracy,omitempty"`
	ClassNames       []string    `json:"class_names,omitempty"` // where classes are more than numbers
	Lineage          Lineage     `json:"lineage"`
}

// Lineage is where a model comes from.
type Lineage struct {
	Run     string   `json:"run"`
	Round   int      `json:"round"` // for a model trained in one place, the epoch
	Seed    uint64   `json:"seed"`
	Sites   int      `json:"sites"`             // whose updates the round aggregated; 0: trained in one place
	Updates []string `json:"updates,omitempty"` // their digests, sorted by site
	Kernel  string   `json:"kernel"`            // family of compute kernels
	Code    string   `json:"code_version"`
	Dataset string   `json:"dataset_digest,omitempty"` // of the training data, where all of it was at hand
	Parent  string   `json:"parent,omitempty"`         // digest of the model that the round, or the training, started from
}

// checkTexts refuses names that no program of ours has written.
func (m *Model) checkTexts() error {
	l := m.Lineage
	err := errors.Join(
		quote.Check("digest", m.Digest), quote.Check("lineage.run", l.Run), quote.Check("lineage.kernel", l.Kernel),
		quote.Check("lineage.code_version", l.Code), quote.Check("lineage.dataset_digest", l.Dataset), quote.Check("lineage.parent", l.Parent),
	)
	for _, name := range m.ClassNames {
		err = errors.Join(err, quote.Check("class name", name))
	}
	for _, digest := range l.Updates {
		err = errors.Join(err, quote.Check("lineage.updates", digest))
	}
	return err
}

// Measure fills in what an evaluation on the test set found; nil clears it.
func (m *Model) Measure(e *train.Evaluation) {
	m.Accuracy, m.Loss, m.PerClassAccuracy = nil, nil, nil
	if e != nil {
		m.Accuracy, m.Loss, m.PerClassAccuracy = &e.Accuracy, &e.Loss, e.PerClass
	}
}
