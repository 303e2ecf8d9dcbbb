package coordinator

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/spool"
)

// forgetful is a journal that keeps nothing, so that a benchmark is not about a disk.
type forgetful struct{}

func (forgetful) Replay(context.Context, func(journal.Record) error) (uint64, error) { return 0, nil }
func (forgetful) Append(context.Context, uint64, []journal.Record) error             { return nil }
func (forgetful) Close() error                                                       { return nil }

// beside starts a coordinator that knows so many runs that have ended, with three
// versions each.
func beside(b *testing.B, count int) *Coordinator {
	b.Helper()
	blobs, err := spool.Open(b.TempDir(), spool.Options{})
	if err != nil {
		b.Fatal(err)
	}
	c, err := New(b.Context(), Options{Journal: forgetful{}, Spool: blobs, Log: zap.NewNop()})
	if err != nil {
		b.Fatal(err)
	}
	past := ended(count, 3)
	c.runs, c.order = past.runs, past.order
	for _, r := range c.order {
		c.references.add(c.needed(r.state))
	}
	ctx, cancel := context.WithCancel(b.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- c.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			b.Error(err)
		}
	})
	return c
}

// What a round and a page of the list cost beside runs that have ended, which
// ought not to matter:
//
//	go test -run - -bench BesideEndedRuns ./coordinator
func BenchmarkBesideEndedRuns(b *testing.B) {
	for _, count := range []int{0, 1_000, 20_000} {
		b.Run(fmt.Sprintf("round/%d", count), func(b *testing.B) {
			w := &world{t: b, Coordinator: beside(b, count)}
			sites := []*site{w.site("x", 1), w.site("y", 2), w.site("z", 6)}
			for _, s := range sites {
				s.got = make(chan exchange.Receipt, b.N) // which nobody reads
			}
			defer attend(b.Context(), sites...)()
			var initial bytes.Buffer
			if err := params().Write(&initial); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			if err := w.Submit(b.Context(), definition(b.N), bytes.NewReader(initial.Bytes()), int64(initial.Len())); err != nil {
				b.Fatal(err)
			}
			w.end("r")
		})
		b.Run(fmt.Sprintf("list/%d", count), func(b *testing.B) {
			c := beside(b, max(count, 500))
			for b.Loop() {
				for _, e := range c.List(0, 500, false) {
					Summary(e.State)
				}
			}
		})
	}
}
