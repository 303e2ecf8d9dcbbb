package round

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// candidateOf is Candidate by its definition: a look at all versions.
func candidateOf(versions []Version) Version {
	best := versions[len(versions)-1]
	if best.Validation == nil {
		return best
	}
	for _, v := range slices.Backward(versions) {
		if v.Validation != nil && *v.Validation >= *best.Validation {
			best = v
		}
	}
	return best
}

// A history is what a list of all versions would be, and stays so while others
// grow from it.
func TestHistoryIsAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		histories, lists := []History{{}}, [][]Version{nil}
		for n := range rapid.IntRange(1, 80).Draw(t, "versions") {
			from := rapid.IntRange(max(0, n-3), n).Draw(t, "from") // mostly the newest, as in a run
			v := Version{Round: n + 1, Model: fmt.Sprint("m", n)}
			if rapid.Bool().Draw(t, "validated") {
				score := float64(rapid.IntRange(0, 3).Draw(t, "score"))
				v.Validation = &score
			}
			list := append(slices.Clone(lists[from]), v)
			if got, want := (State{Published: histories[from]}).Leads(v), candidateOf(list) == v; got != want {
				t.Fatalf("leads: got %t, want %t, of %+v", got, want, list)
			}
			histories, lists = append(histories, histories[from].add(v)), append(lists, list)
		}
		for i, h := range histories {
			if got := h.All(); !cmp.Equal(got, lists[i]) || h.Len() != len(lists[i]) {
				t.Fatalf("history %d: got (+), want (-):\n%s", i, cmp.Diff(lists[i], got))
			}
			if h.Len() == 0 {
				continue
			}
			if best, _ := (State{Published: h}).Candidate(); best != candidateOf(lists[i]) {
				t.Fatalf("candidate: got %+v, want %+v", best, candidateOf(lists[i]))
			}
			after, limit := rapid.IntRange(0, h.Len()+1).Draw(t, "after"), rapid.IntRange(0, 9).Draw(t, "limit")
			want := lists[i][min(after, h.Len()):]
			if got := h.Since(after, limit); !slices.Equal(got, want[:min(limit, len(want))]) {
				t.Fatalf("since %d, at most %d: got %+v of %+v", after, limit, got, lists[i])
			}
		}
	})
}

// What a version costs does not grow with the history: neither to publish it, nor
// to find one of the oldest.
func TestHistoryCostsTheSameForever(t *testing.T) {
	const versions = 1 << 16
	h := History{}
	for n := range versions {
		h = h.add(Version{Round: n + 1})
	}
	if allocations := testing.AllocsPerRun(100, func() { h.add(Version{}) }); allocations > 1 {
		t.Errorf("a version more takes %g allocations, want one", allocations)
	}
	steps := 0
	for e := h.last; e.number > 2; steps++ {
		if e.jump.count() >= 2 {
			e = e.jump
		} else {
			e = e.before
		}
	}
	if most := 3 * 16; steps > most {
		t.Errorf("the second of %d versions is %d steps away, want at most %d", versions, steps, most)
	}
	if got := h.Since(1, 1); len(got) != 1 || got[0].Round != 2 {
		t.Errorf("the second version: got %+v", got)
	}
}
