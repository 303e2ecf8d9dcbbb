package rpc

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// No more than maxTurns go at once, and who is slow keeps nobody waiting.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		var ends []func()
		for range maxTurns {
			done, err := turns.take(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			ends = append(ends, done)
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := turns.take(impatient, ""); err == nil {
			t.Fatal("one more than may went at once")
		}
		ends[0]()
		done, err := turns.take(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		late, err := turns.take(t.Context(), "") // when those who began first have lasted long enough
		if err != nil || time.Since(began) > turnLasts {
			t.Errorf("waited %v (%v)", time.Since(began), err)
		}
		for _, end := range append(ends, done, late) {
			end()
			end() // twice does no harm
		}
		if len(turns.taken) != 0 || len(turns.each) != 0 {
			t.Errorf("%d turns are still taken, by %v", len(turns.taken), turns.each)
		}
	})
}

// One participant can not take all turns.
func TestTurnsOfOne(t *testing.T) {
	turns := newTurns()
	for range turnsEach {
		done, err := turns.take(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		defer done()
	}
	if _, err := turns.take(t.Context(), "a"); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("got %v, want %v", err, codes.ResourceExhausted)
	}
	done, err := turns.take(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	done()
}
