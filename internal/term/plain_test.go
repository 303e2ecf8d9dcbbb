package term

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPlainWritesOneLineARoundAndFewInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		p := New(&b, Options{Title: "digits", Parts: "sites"})
		for round := 1; round <= 2; round++ {
			for site := range 10 { // 1 s each: a line at once and one after 5 s
				p.Update(Snapshot{Round: round, Rounds: 2, Done: int64(site), Total: 10, Rate: 1234, Measured: round - 1, Accuracy: 0.5})
				time.Sleep(time.Second)
			}
		}
		p.Line("a warning")
		p.Update(Snapshot{Round: 2, Rounds: 2, Done: 10, Total: 10, Rate: 1234, Measured: 2, Accuracy: 0.75, Loss: 0.5})
		p.Close()
		p.Close()
		p.Update(Snapshot{Round: 3, Rounds: 3, Measured: 3})

		want := `digits
round 1/2: 0/10 sites, 1,234 samples/s, 0:00 elapsed
round 1/2: 5/10 sites, 1,234 samples/s, 0:05 elapsed, about 0:15 left
round 1/2: accuracy 50.00 %, 1,234 samples/s, 0:10 elapsed, about 0:10 left
round 2/2: 5/10 sites, 1,234 samples/s, 0:15 elapsed, about 0:05 left
a warning
round 2/2: accuracy 75.00 %, loss 0.5000, 1,234 samples/s, 0:20 elapsed, about 0:00 left
`
		want = strings.Replace(want, ", about 0:00 left", "", 1)
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("lines differ (-want +got):\n%s", diff)
		}
	})
}

func TestPlainShowsBytesAndFewPhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		p := New(&b, Options{Unit: "file", Parts: "bytes"})
		p.Update(Snapshot{Phase: "fetching", Round: 1, Rounds: 4, Done: 1_000_000, Total: 9_912_422, Rate: 2e6})
		p.Update(Snapshot{Phase: "opening", Round: 1, Rounds: 4, Done: 9_912_422, Total: 9_912_422, Rate: 2e6})
		time.Sleep(6 * time.Second)
		p.Update(Snapshot{Phase: "checking", Round: 1, Rounds: 4, Done: 9_912_422, Total: 9_912_422, Rate: 2e6})
		p.Close()
		want := `file 1/4: fetching, 1.0 MB of 9.9 MB, 2.0 MB/s, 0:00 elapsed
file 1/4: checking, 9.9 MB of 9.9 MB, 2.0 MB/s, 0:06 elapsed, about 0:20 left
`
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("lines differ (-want +got):\n%s", diff)
		}
	})
}

func TestPlainWritesALineARoundWithoutAccuracy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		p := New(&b, Options{Parts: "steps"})
		for round := 1; round <= 3; round++ {
			for step := range 10 {
				p.Update(Snapshot{Round: round, Rounds: 3, Done: int64(step), Total: 10, TrainLoss: 1 / float64(round)})
			}
		}
		p.Close()
		want := `round 1/3: 0/10 steps, training loss 1.0000, 0:00 elapsed
round 2/3: 0/10 steps, training loss 0.5000, 0:00 elapsed
round 3/3: 0/10 steps, training loss 0.3333, 0:00 elapsed
round 3/3: 9/10 steps, training loss 0.3333, 0:00 elapsed
`
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("lines differ (-want +got):\n%s", diff)
		}
	})
}

// Work that is not divided into rounds.
func TestPlainWithoutRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		p := New(&b, Options{Title: "baselines", Parts: "images"})
		for done := range int64(12) {
			p.Update(Snapshot{Done: 100 * done, Total: 1200})
			time.Sleep(time.Second)
		}
		p.Close()
		want := `baselines
0/1200 images, 0:00 elapsed
500/1200 images, 0:05 elapsed, about 0:07 left
1000/1200 images, 0:10 elapsed, about 0:02 left
1100/1200 images, 0:12 elapsed, about 0:01 left
`
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("lines differ (-want +got):\n%s", diff)
		}
	})
}

func TestPlainFromManyGoroutines(t *testing.T) {
	var b strings.Builder
	p := New(&b, Options{Parts: "sites"})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for round := 1; round <= 50; round++ {
				p.Update(Snapshot{Round: round, Rounds: 50, Done: int64(i), Total: 4, Measured: round})
				p.Line("x")
			}
		})
	}
	wg.Wait()
	p.Close()
	if got := strings.Count(b.String(), "x\n"); got != 200 {
		t.Errorf("got %d lines, want 200", got)
	}
}

// While a round is being measured the next one has begun: no line says that it
// ended unmeasured, unless it really does.
func TestPlainWaitsForTheMeasurement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		p := New(&b, Options{Parts: "sites"})
		for _, s := range []Snapshot{
			{Round: 1, Rounds: 4, Total: 2},
			{Round: 2, Rounds: 4, Total: 2, Measuring: true},
			{Round: 2, Rounds: 4, Total: 2, Done: 1, Measuring: true},
			{Round: 2, Rounds: 4, Total: 2, Done: 1, Measured: 1, Accuracy: 0.5},
			{Round: 3, Rounds: 4, Total: 2, Measured: 1, Accuracy: 0.5, Measuring: true},
			{Round: 3, Rounds: 4, Total: 2, Done: 1, Measured: 1, Accuracy: 0.5},
		} {
			p.Update(s)
		}
		want := `round 1/4: 0/2 sites, 0:00 elapsed
round 1/4: accuracy 50.00 %, 0:00 elapsed
round 3/4: 1/2 sites, 0:00 elapsed
`
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("lines differ (-want +got):\n%s", diff)
		}
	})
}
