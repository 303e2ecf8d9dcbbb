package report

import "github.com/accord-fl/accord/model/train"

// Summary is what a training came to: the object that --json prints.
type Summary struct {
	Accuracy         *float64 `json:"accuracy"`         // of the model that was kept, on the test set; null without one
	BestAccuracy     *float64 `json:"best_accuracy"`    // the highest of any round, on the test set
	Rounds           int      `json:"rounds"`           // or epochs
	RoundsToTarget   *int     `json:"rounds_to_target"` // null: no target, or not reached
	Seconds          float64  `json:"seconds"`          // start to end, without baselines
	TrainSeconds     float64  `json:"train_seconds"`    // of them in training, without measuring
	SamplesPerSecond float64  `json:"samples_per_second"`
	PeakRSSBytes     int64    `json:"peak_rss_bytes"` // 0: not known on this system
	ModelDigest      string   `json:"model_digest"`
	Seed             uint64   `json:"seed"`
	Kernel           string   `json:"kernel"`
	// For two classes, of which 1 is the positive one.
	AUC         *float64 `json:"auc,omitempty"`
	Sensitivity *float64 `json:"sensitivity,omitempty"`
	Specificity *float64 `json:"specificity,omitempty"`
	// What the federation is measured against, where that was asked for.
	Baselines *Compared `json:"baselines,omitempty"`
}

// Compared are the test accuracies of the same network trained otherwise.
type Compared struct {
	Sites   map[string]float64 `json:"sites"`   // each alone on its own data
	Central float64            `json:"central"` // all data in one place
}

// Measure fills in what an evaluation of the kept model on the test set found.
func (s *Summary) Measure(e *train.Evaluation) {
	s.Accuracy = &e.Accuracy
	s.AUC, s.Sensitivity, s.Specificity = e.AUC, e.Sensitivity, e.Specificity
}

// Best returns the highest test accuracy of the rounds, or nil.
func Best(rounds []Round) *float64 {
	var best *float64
	for i := range rounds {
		if a := rounds[i].Accuracy; a != nil && (best == nil || *a > *best) {
			best = a
		}
	}
	return best
}
