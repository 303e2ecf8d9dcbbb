package trainer

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/program"
	"github.com/accord-fl/accord/model"
)

// maxMetricsFile bounds MetricsFile, in bytes; maxMetrics the numbers in it.
const (
	maxMetricsFile = 64 << 10
	maxMetrics     = 32
)

// readOutputs takes over what a program left in dir: the weights go to done,
// when everything is sound, the rest into the result.
func readOutputs(p program.Program, dir string, c model.Contract, done func(model.Vector) error) (Result, error) {
	data, err := p.Read(dir, MetricsFile, maxMetricsFile)
	if err != nil {
		return Result{}, err
	}
	result, err := parseMetrics(data)
	if err != nil {
		return Result{}, fmt.Errorf("the program's %s: %w", MetricsFile, err)
	}
	f, size, err := p.Output(dir, UpdateFile)
	if err != nil {
		return Result{}, err
	}
	defer f.Close() // only read from
	trained, err := model.OpenFile(f, size, c)
	if err == nil {
		err = trained.CheckFinite()
	}
	if err != nil {
		return Result{}, fmt.Errorf("the program's %s: %w", UpdateFile, err)
	}
	return result, done(trained)
}

// parseMetrics reads {"samples": n, "steps": n, more numbers}.
func parseMetrics(data []byte) (Result, error) {
	var values map[string]*float64
	if err := json.Unmarshal(data, &values); err != nil {
		return Result{}, fault.Inputf("want one JSON object of numbers: %w", err)
	}
	samples, err := takeCount(values, "samples", 1)
	if err != nil {
		return Result{}, err
	}
	steps, err := takeCount(values, "steps", 0)
	if err != nil {
		return Result{}, err
	}
	result := Result{Samples: samples, Steps: steps, Metrics: map[string]float64{}}
	if len(values) > maxMetrics {
		return Result{}, fault.Inputf("%d metrics, at most %d", len(values), maxMetrics)
	}
	for key, value := range values {
		if value == nil || len(key) > 64 {
			return Result{}, fault.Inputf("%.64q: want a number under a name of at most 64 bytes", key)
		}
		result.Metrics[key] = *value
	}
	return result, nil
}

// takeCount removes the whole number called key from values.
func takeCount(values map[string]*float64, key string, least int64) (int64, error) {
	value := values[key]
	if value == nil {
		return 0, fault.Inputf("%q is missing", key)
	}
	delete(values, key)
	if *value != math.Trunc(*value) || *value < float64(least) || *value > 1<<53 {
		return 0, fault.Inputf("%q: want a whole number of at least %d, got %v", key, least, *value)
	}
	return int64(*value), nil
}
