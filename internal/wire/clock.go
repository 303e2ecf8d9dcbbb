package wire

import (
	"fmt"
	"time"

	"go.uber.org/zap"
)

// By how much two clocks may differ until it is said, and until it is a fault:
// certificates allow for five minutes.
const (
	ClockNotable = 5 * time.Second
	ClockWrong   = 2 * time.Minute
)

// Ahead returns by how much the other side's clock is ahead of this one's, when
// it said theirs in an answer to what was sent at began: half of the time since
// then is taken for the way.
func Ahead(theirs, began time.Time) time.Duration {
	way := time.Since(began) / 2 // monotonic
	return theirs.Sub(time.Now().Add(-way).Round(0))
}

// ClockText says how far a clock is from another one, as in "31d0h ahead of this
// machine's" or "12s behind this machine's".
func ClockText(ahead time.Duration, other string) string {
	side := "ahead of"
	if ahead < 0 {
		side = "behind"
	}
	return fmt.Sprintf("%s %s %s", Span(ahead), side, other)
}

// Span writes the length of a time, whatever its sign, in its two largest units.
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	d = d.Abs()
	switch {
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d >= time.Second:
		return fmt.Sprintf("%ds", d/time.Second)
	default:
		return d.Round(time.Millisecond).String()
	}
}

// LogClock logs that the clock of a peer, which whose names, is ahead of this
// one's: not at all, as information, or as a warning, by how much it is.
func LogClock(log *zap.Logger, whose string, ahead time.Duration, fields ...zap.Field) {
	fields = append(fields, zap.String("difference", ClockText(ahead, "this machine's")))
	switch by := ahead.Abs(); {
	case by >= ClockWrong:
		log.Warn("clocks differ", append(fields, zap.String("clock", whose), zap.String("next", "set the clock that is wrong (NTP); certificates are judged by it"))...)
	case by >= ClockNotable:
		log.Info("clocks differ", append(fields, zap.String("clock", whose))...)
	}
}
