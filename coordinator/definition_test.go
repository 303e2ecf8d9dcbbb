package coordinator

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/model/optim"
)

// A site's plan is plain data: it has the rate of its round.
func TestTaskHasTheRateOfItsRound(t *testing.T) {
	for schedule, want := range map[optim.Schedule]map[int]float64{
		"":                {1: 0.75, 4: 0.75, 9: 0.75},
		optim.Constant:    {1: 0.75, 4: 0.75, 9: 0.75},
		optim.InverseSqrt: {1: 0.75, 4: 0.375, 9: 0.25},
	} {
		d := definition(9)
		d.LRSchedule, d.Plan.Optimizer.LR = schedule, 0.75
		for n, rate := range want {
			plan := d.task(round.Offer{Round: n}, 1, 1, 1).Plan
			if plan.Optimizer.LR != rate {
				t.Errorf("%q, round %d: got rate %v, want %v", schedule, n, plan.Optimizer.LR, rate)
			}
			plan.Optimizer.LR = 0.75
			if diff := cmp.Diff(d.Plan, plan); diff != "" {
				t.Errorf("%q, round %d: more than the rate differs (-run +task):\n%s", schedule, n, diff)
			}
		}
	}
}

// Journals from before there were schedules have no such key, and a run
// without one is written as it was then.
func TestDefinitionWithoutAScheduleIsWrittenAsBefore(t *testing.T) {
	d := definition(1)
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "lr_schedule") {
		t.Errorf("got %s, want no lr_schedule", data)
	}
	d.LRSchedule = optim.InverseSqrt
	if data, err = json.Marshal(d); err != nil {
		t.Fatal(err)
	}
	var again Definition
	if err := json.Unmarshal(data, &again); err != nil || !d.Equal(again) || again.LRSchedule != optim.InverseSqrt {
		t.Errorf("read back as %+v, error %v", again, err)
	}
	again.LRSchedule = ""
	if d.Equal(again) {
		t.Error("runs with different schedules are said to be the same")
	}
}
