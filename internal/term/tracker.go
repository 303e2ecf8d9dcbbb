package term

import (
	"time"

	"github.com/accord-fl/accord/internal/quote"
)

// tracker keeps what a snapshot does not say: when the work began and the
// accuracies so far. The caller gives it the time and guards it.
type tracker struct {
	started  time.Time
	start    float64 // share of the work that was done at the first snapshot
	updated  bool
	last     Snapshot
	accuracy []float64 // of every round that was measured, the newest last
}

// update takes in s and reports whether it brings a new accuracy.
func (t *tracker) update(s Snapshot) bool {
	s.Phase = quote.Text(s.Phase)
	measured := s.Measured > t.last.Measured
	if measured {
		t.accuracy = append(t.accuracy, s.Accuracy)
	}
	t.last = s
	if !t.updated {
		t.updated, t.start = true, t.share()
	}
	return measured
}

// share is how much of the work is done, in [0, 1].
func (t *tracker) share() float64 {
	s := t.last
	if s.Rounds <= 0 && s.Total > 0 { // work that is not divided into rounds
		return min(1, float64(s.Done)/float64(s.Total))
	}
	if s.Rounds <= 0 || s.Round <= 0 {
		return 0
	}
	done := float64(s.Round - 1)
	if s.Total > 0 {
		done += min(1, float64(s.Done)/float64(s.Total))
	}
	return min(1, max(done, float64(s.Measured))/float64(s.Rounds))
}

// left guesses how long the rest takes, by how long it took to come this far.
// It says false while there is too little to go by.
func (t *tracker) left(now time.Time) (time.Duration, bool) {
	share, elapsed := t.share(), now.Sub(t.started)
	if done := share - t.start; done >= 0.01 && elapsed >= time.Second {
		return time.Duration(float64(elapsed) * (1 - share) / done), true
	}
	return 0, false
}
