package trainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/kernel"
	"github.com/accord-fl/accord/internal/rng"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
)

// calibrateFor is how long a calibration trains.
const calibrateFor = 500 * time.Millisecond

// pace is what a calibration found, and where it holds.
type pace struct {
	Kernel           string  `json:"kernel"`
	Threads          int     `json:"threads"`
	SamplesPerSecond float64 `json:"samples_per_second"`
}

// Calibrate returns how many samples a second an engine of the pool trains
// on with the reference network, from half a second of training on noise. It
// keeps the result in the file at path, and trains only when that holds none
// for this processor and number of threads. It is a rough figure, for people
// and for choosing whom to ask.
func Calibrate(ctx context.Context, engines *Pool, path string) (samplesPerSecond float64, err error) {
	if kept := Calibrated(path, engines.threads); kept > 0 {
		return kept, nil
	}
	here := pace{Kernel: kernel.Family(), Threads: engines.threads}
	if here.SamplesPerSecond, err = measurePace(ctx, engines); err != nil {
		return 0, fmt.Errorf("calibrate: %w", err)
	}
	data, err := json.Marshal(here)
	if err != nil {
		return 0, fmt.Errorf("calibrate: %w", err)
	}
	return here.SamplesPerSecond, atomicfile.WriteBytes(path, append(data, '\n'))
}

// Calibrated returns what Calibrate has kept at path for this processor and number
// of threads, 0 for nothing.
func Calibrated(path string, threads int) (samplesPerSecond float64) {
	var kept pace
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &kept) != nil || kept.Kernel != kernel.Family() || kept.Threads != threads {
		return 0
	}
	return max(0, kept.SamplesPerSecond)
}

// measurePace trains until the time is up. The first step, which the engine
// also needs to warm up, does not count.
func measurePace(ctx context.Context, engines *Pool) (float64, error) {
	spec := model.Reference()
	engine, release, err := engines.Acquire(ctx, spec)
	if err != nil {
		return 0, err
	}
	defer release()
	limited, cancel := context.WithTimeout(ctx, calibrateFor)
	defer cancel()
	plan := train.Plan{Epochs: 1 << 20, Batch: 32, Optimizer: optim.Defaults(optim.Adam)}
	var first, last train.Progress
	var begin, end time.Time
	_, err = engine.Fit(limited, spec.Init(rng.New(1, "calibrate")), newNoise(spec), plan, nil, func(p train.Progress) {
		last, end = p, time.Now()
		if p.Step == 1 {
			first, begin = last, end
		}
	})
	if err != nil && (!errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil) {
		return 0, err
	}
	if last.Step < 2 || !end.After(begin) {
		return 0, nil // too slow to tell
	}
	return float64(last.Samples-first.Samples) / end.Sub(begin).Seconds(), nil
}

// noise is data to train on whose values do not matter.
type noise struct {
	shape   [3]int
	classes int
	pixels  []float32
}

var _ train.Data = noise{}

// noiseSamples is a few batches.
const noiseSamples = 128

func newNoise(spec *model.Spec) noise {
	n := noise{shape: spec.Input, classes: spec.Classes()}
	n.pixels = make([]float32, n.size())
	r := rng.New(1, "noise")
	for i := range n.pixels {
		n.pixels[i] = r.Float32()
	}
	return n
}

func (n noise) size() int { return n.shape[0] * n.shape[1] * n.shape[2] }

// Len returns the number of samples.
func (n noise) Len() int { return noiseSamples }

// Shape returns height, width and channels.
func (n noise) Shape() [3]int { return n.shape }

// Classes returns the number of classes.
func (n noise) Classes() int { return n.classes }

// Gather writes the same image for every sample, and labels in turn.
func (n noise) Gather(x []float32, y []int32, idx []int) {
	for i, sample := range idx {
		copy(x[i*n.size():], n.pixels)
		y[i] = int32(sample % n.classes)
	}
}
