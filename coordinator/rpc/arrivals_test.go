package rpc

import (
	"testing"
	"testing/synctest"
	"time"
)

// Whoever attends too often is slowed down, and nobody else: not a process of the
// same site on another machine.
func TestArrivalsAreCountedWhereTheyComeFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newArrivals()
		come := func(address string) (allowed int) {
			for range 2 * arrivalsBurst {
				if a.allow("a", address) {
					allowed++
				}
			}
			return allowed
		}
		for _, from := range []string{"10.0.0.1:1", "10.0.0.2:1", "[2001:db8::1]:1"} {
			if got := come(from); got != arrivalsBurst {
				t.Errorf("from %s: %d times, want %d", from, got, arrivalsBurst)
			}
		}
		for _, same := range []string{"10.0.0.1:2", "[2001:db8::2]:1"} {
			if got := come(same); got != 0 {
				t.Errorf("from %s: %d times, want none", same, got)
			}
		}
		time.Sleep(time.Minute)
		if got := come("10.0.0.1:3"); got != arrivalsBurst {
			t.Errorf("a minute later: %d times", got)
		}
		if !a.allow("b", "10.0.0.2:1") {
			t.Error("another site is not let in")
		}
	})
}
