package aggregation

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// vector is a Reader in memory.
type vector []float32

func (v vector) ReadAt(dst []float32, off int) error {
	if off < 0 || off+len(dst) > len(v) {
		return errors.New("out of range")
	}
	copy(dst, v[off:])
	return nil
}

func aggregate(t interface{ Fatal(...any) }, s Strategy, base vector, updates []Update) []float32 {
	var out []float32
	err := s.Aggregate(context.Background(), len(base), base, updates, func(w []float32) error {
		out = append(out, w...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func fedavg(t *testing.T) Strategy {
	t.Helper()
	s, err := Preset("fedavg", 1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// By hand: (1·(1, −2) + 3·(5, 2)) / 4 = (4, 1), added to (10, 20).
func TestFedAvgByHand(t *testing.T) {
	got := aggregate(t, fedavg(t), vector{10, 20}, []Update{
		{Participant: "a", Task: "1", Weight: 1, Values: vector{1, -2}},
		{Participant: "b", Task: "1", Weight: 3, Values: vector{5, 2}},
	})
	if diff := cmp.Diff([]float32{14, 21}, got); diff != "" {
		t.Errorf("model differs (-want +got):\n%s", diff)
	}
}

func TestServerLearningRate(t *testing.T) {
	got := aggregate(t, Strategy{Mean{}, SGD{LR: 0.5}}, vector{1}, []Update{{Participant: "a", Weight: 7, Values: vector{4}}})
	if got[0] != 3 {
		t.Errorf("1 + 0.5·4: got %g, want 3", got[0])
	}
}

// The order in which updates arrived must not reach the bytes, also where
// the model is longer than a block.
func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 7, Block - 1, Block, Block + 3, 2*Block + 1}).Draw(t, "n")
		k := rapid.IntRange(1, 6).Draw(t, "k")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		random := func() vector {
			v := make(vector, n)
			for i := range v {
				v[i] = float32(int32(r.Uint32())) / (1 << 20)
			}
			return v
		}
		base := random()
		var updates []Update
		for i := range k {
			updates = append(updates, Update{Participant: string(rune('a' + i)), Task: "t", Weight: 1 + r.Float64(), Values: random()})
		}
		s := Strategy{Mean{}, SGD{LR: 1}}
		want := aggregate(t, s, base, updates)
		r.Shuffle(k, func(i, j int) { updates[i], updates[j] = updates[j], updates[i] })
		if got := aggregate(t, s, base, updates); !slices.Equal(want, got) {
			t.Fatalf("n=%d k=%d: another order gave another model", n, k)
		}
	})
}

func TestAggregateRefuses(t *testing.T) {
	good := Update{Participant: "a", Task: "1", Weight: 1, Values: vector{1}}
	weight := func(w float64) Update { u := good; u.Weight = w; return u }
	for _, tt := range []struct {
		name    string
		s       Strategy
		updates []Update
		want    string
	}{
		{"nothing", fedavg(t), nil, "no updates"},
		{"zero weight", fedavg(t), []Update{weight(0)}, "weight 0"},
		{"NaN weight", fedavg(t), []Update{weight(math.NaN())}, "weight NaN"},
		{"infinite weight", fedavg(t), []Update{weight(math.Inf(1))}, "weight +Inf"},
		{"one update twice", fedavg(t), []Update{good, good}, "two updates of a"},
		{"short update", fedavg(t), []Update{{Participant: "a", Weight: 1, Values: vector{}}}, "update of a"},
		{"combiner stops early", Strategy{silent{}, SGD{LR: 1}}, []Update{good}, "gave 0 of 1 elements"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.s.Aggregate(t.Context(), 1, vector{0}, tt.updates, func([]float32) error { return nil })
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestAggregateStopsOnItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := fedavg(t).Aggregate(ctx, 1, vector{0}, []Update{{Participant: "a", Weight: 1, Values: vector{1}}}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}

type silent struct{}

func (silent) Combine(context.Context, int, []Update, func([]float64) error) error { return nil }
