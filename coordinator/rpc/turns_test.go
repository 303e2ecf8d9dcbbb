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
		take := func() *turn {
			t.Helper()
			one, err := turns.take(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			return one
		}
		all := []*turn{take()} // the first is fast, then slow
		for range maxTurns - 1 {
			all = append(all, take())
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := turns.take(impatient, ""); err == nil {
			t.Fatal("one more than may went at once")
		}
		const half = turnMoves / 2
		for range 2 {
			if n, err := all[0].Write(make([]byte, half)); n != half || err != nil {
				t.Fatalf("wrote %d (%v)", n, err)
			}
		}
		all[1].done()
		all[1] = take()
		began := time.Now()
		for range maxTurns - 2 { // when the slow ones that began first have lasted long enough
			all = append(all, take())
		}
		if waited := time.Since(began); waited > turnLasts {
			t.Errorf("slow ones kept others waiting for %v", waited)
		}
		all = append(all, take())
		if waited := time.Since(began); waited < turnLasts {
			t.Errorf("a fast one lost its turn after %v", waited)
		}
		for range maxTurns - 1 {
			all = append(all, take())
		}
		if waited := time.Since(began); waited >= 2*turnLasts {
			t.Errorf("one that had become slow kept its turn for %v", waited)
		}
		for _, one := range all {
			one.done()
		}
		if len(turns.taken) != 0 || len(turns.each) != 0 {
			t.Errorf("%d turns are still taken, by %v", len(turns.taken), turns.each)
		}
	})
}

// One participant cannot take all turns.
func TestTurnsOfOne(t *testing.T) {
	turns := newTurns()
	for range turnsEach {
		one, err := turns.take(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		defer one.done()
	}
	if _, err := turns.take(t.Context(), "a"); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("got %v, want %v", err, codes.ResourceExhausted)
	}
	one, err := turns.take(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	one.done()
}
