package trainer

import (
	"errors"
	"math"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
)

func FuzzParseMetrics(f *testing.F) {
	for _, seed := range []string{
		`{"samples": 600, "steps": 19, "loss": 0.5}`, `{"samples": 1e400, "steps": 0}`, `{"samples": 1, "steps": -1}`,
		`{"samples": null}`, `[]`, `{`, `null`, `{"samples": 9007199254740993, "steps": 1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseMetrics(data)
		if err != nil {
			if !errors.Is(err, fault.Input) {
				t.Fatalf("%v is not of class fault.Input", err)
			}
			return
		}
		if r.Samples < 1 || r.Steps < 0 || len(r.Metrics) > maxMetrics {
			t.Fatalf("got %+v", r)
		}
		for key, value := range r.Metrics {
			if math.IsNaN(value) || math.IsInf(value, 0) || len(key) > 64 {
				t.Fatalf("metric %q is %v", key, value)
			}
		}
	})
}
