package optim

import (
	"errors"
	"math"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
)

func TestScheduleRates(t *testing.T) {
	for _, c := range []struct {
		schedule Schedule
		want     map[int]float64 // by round, for a first rate of 0.6
	}{
		{"", map[int]float64{1: 0.6, 4: 0.6, 9: 0.6}},
		{Constant, map[int]float64{1: 0.6, 4: 0.6, 9: 0.6}},
		{InverseSqrt, map[int]float64{1: 0.6, 2: 0.6 / math.Sqrt2, 4: 0.3, 9: 0.2, 10_000: 0.006}},
	} {
		if err := c.schedule.Validate(); err != nil {
			t.Errorf("%q: %v", c.schedule, err)
		}
		for round, want := range c.want {
			if got := c.schedule.Rate(0.6, round); math.Abs(got-want) > 1e-15 {
				t.Errorf("%q, round %d: got %v, want %v", c.schedule, round, got, want)
			}
		}
	}
	if err := Schedule("inverse").Validate(); !errors.Is(err, fault.Input) {
		t.Errorf("unknown schedule: got %v, want an input error", err)
	}
}
