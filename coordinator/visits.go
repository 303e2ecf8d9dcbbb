package coordinator

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// visits bounds the lines that tell who comes and goes: of one participant so
// many in a minute, the last of which says that more are left out.
type visits struct {
	mu     sync.Mutex
	minute time.Time
	lines  map[string]int // of this minute, by participant
}

const maxVisitLines = 6 // of a participant in a minute

func newVisits() *visits { return &visits{lines: map[string]int{}} }

// note logs that a participant came or went.
func (v *visits) note(log *zap.Logger, event, name string) {
	v.mu.Lock()
	if minute := now().Truncate(time.Minute); !minute.Equal(v.minute) {
		v.minute = minute
		clear(v.lines)
	}
	v.lines[name]++
	n := v.lines[name]
	v.mu.Unlock()
	switch {
	case n < maxVisitLines:
		log.Info(event, zap.String("participant", name))
	case n == maxVisitLines:
		log.Warn(event, zap.String("participant", name), zap.String("note", "it comes and goes often; the rest of this minute is not logged"))
	}
}
