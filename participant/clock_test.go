package participant

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clock{}
		here := time.Now()
		if !c.when(here).IsZero() {
			t.Error("knows a clock that it has not seen")
		}
		c.observe(time.Time{}, here)
		if !c.when(here).IsZero() {
			t.Error("took no time for a time")
		}
		c.observe(here.Add(48*time.Hour), here)
		if got := c.when(here.Add(48*time.Hour + time.Minute)); !got.Equal(here.Add(time.Minute)) {
			t.Errorf("got %v, want in a minute", got)
		}
		if !c.when(time.Time{}).IsZero() {
			t.Error("no deadline became one")
		}
	})
}
