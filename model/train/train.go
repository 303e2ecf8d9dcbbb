// Package train fits a network to samples and measures how well it does.
//
// A batch is cut into shards of 16 samples. Each shard has a gradient of its
// own and shards are added in order, so the result is the same, bit for bit, for
// any number of threads. Steps allocate nothing.
package train

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/accord-fl/accord/model"
)

// Data is a set of labelled images. The engine calls Gather from several
// goroutines at once.
type Data interface {
	// Len returns the number of samples.
	Len() int
	// Shape returns height, width and channels of a sample.
	Shape() [3]int
	// Classes returns the number of classes; labels are below it.
	Classes() int
	// Gather writes the samples idx to x, [len(idx), h, w, c], and their
	// labels to y.
	Gather(x []float32, y []int32, idx []int)
}

// Progress is where a training stands.
type Progress struct {
	Epoch   int     // the current one, from 1
	Epochs  int     // of so many
	Step    int64   // steps done
	Steps   int64   // of so many
	Samples int64   // samples seen, repeated ones included
	Loss    float64 // mean over the current epoch so far
}

// Result is what a training amounted to.
type Result struct {
	Steps   int64
	Samples int64   // seen, repeated ones included
	Loss    float64 // mean over the last epoch
	Seconds float64
}

// Engine trains and measures networks of one kind. It holds working memory for
// its threads and can be used for one set of weights after the other, but not
// for two at once.
type Engine struct{}

// NewEngine returns an engine for net with the given number of threads, at
// least 1. With one thread it starts no goroutine. Call Close when done.
func NewEngine(net *model.Network, threads int) (*Engine, error) {
	return nil, errors.New("not built yet")
}

// Close stops the engine's goroutines and waits for them.
func (e *Engine) Close() {}

// Fit trains p in place on d as plan says. r drives shuffling only. progress,
// when not nil, is called after every step from the calling goroutine. When ctx
// ends, Fit stops before the next step and returns ctx's error; p then holds the
// weights of the last full step.
func (e *Engine) Fit(ctx context.Context, p *model.Params, d Data, plan Plan, r *rand.Rand, progress func(Progress)) (Result, error) {
	return Result{}, errors.New("not built yet")
}

// Evaluate measures p on all samples of d.
func (e *Engine) Evaluate(ctx context.Context, p *model.Params, d Data) (Evaluation, error) {
	return Evaluation{}, errors.New("not built yet")
}

// Predict writes the class probabilities of the samples x, [n, h, w, c], to
// probs, [n, classes].
func (e *Engine) Predict(p *model.Params, x, probs []float32) error {
	return errors.New("not built yet")
}

// Evaluation is how well a model does on a set of samples.
type Evaluation struct {
	Samples  int     `json:"samples"`
	Accuracy float64 `json:"accuracy"`
	Loss     float64 `json:"loss"` // mean cross-entropy
	// PerClass is the accuracy among the samples of each class; 0 for a class
	// without samples.
	PerClass []float64 `json:"per_class"`
	// Confusion counts samples by [true class][predicted class].
	Confusion [][]int `json:"confusion"`
	// AUC, Sensitivity and Specificity are for two classes, of which 1 is the
	// positive one. Each is nil where a class has no samples to measure it on.
	AUC         *float64 `json:"auc,omitempty"`
	Sensitivity *float64 `json:"sensitivity,omitempty"`
	Specificity *float64 `json:"specificity,omitempty"`
}
