package round

import (
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A tree holds what a map would, in order and in balance, and stays as it is
// while others grow from it.
func TestTreeIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trees, maps := []tree[int, int]{{}}, []map[int]int{{}}
		for n := range rapid.IntRange(1, 200).Draw(t, "steps") {
			from := rapid.IntRange(max(0, n-2), n).Draw(t, "from") // mostly the newest
			key := rapid.IntRange(0, 60).Draw(t, "key")
			m := cloned(maps[from])
			next := trees[from].remove(key)
			if delete(m, key); rapid.IntRange(0, 2).Draw(t, "set") > 0 {
				next, m[key] = trees[from].set(key, n), n
			}
			trees, maps = append(trees, next), append(maps, m)
		}
		for i, tree := range trees {
			checkTree(t, tree, maps[i])
		}
	})
}

func cloned(m map[int]int) map[int]int { return maps.Clone(m) }

func checkTree(t *rapid.T, tree tree[int, int], want map[int]int) {
	var keys []int
	for key, value := range tree.all() {
		keys = append(keys, key)
		if got, ok := tree.get(key); !ok || got != value || value != want[key] {
			t.Fatalf("key %d: got %d (%t) and %d, want %d", key, got, ok, value, want[key])
		}
	}
	if sorted := slices.Sorted(maps.Keys(want)); !slices.Equal(keys, sorted) || tree.len() != len(want) {
		t.Fatalf("got %d keys %v, want %v", tree.len(), keys, sorted)
	}
	if key, _, ok := tree.first(); ok != (len(keys) > 0) || ok && key != keys[0] {
		t.Fatalf("the first is %d (%t) of %v", key, ok, keys)
	}
	checkBalance(t, tree.root)
}

func checkBalance(t *rapid.T, n *node[int, int]) {
	if n == nil {
		return
	}
	l, r := n.left.len(), n.right.len()
	if n.nodes != l+r+1 || l+r >= 2 && (l > heavier*r || r > heavier*l) {
		t.Fatalf("a node of %d has sides of %d and %d", n.nodes, l, r)
	}
	checkBalance(t, n.left)
	checkBalance(t, n.right)
}

// Keys that come in order are the worst for a tree without balance.
func TestTreeOfSortedKeysIsShallow(t *testing.T) {
	const keys = 1 << 14
	var whole tree[int, int]
	for key := range keys {
		whole = whole.set(key, key)
	}
	var depth func(n *node[int, int]) int
	depth = func(n *node[int, int]) int {
		if n == nil {
			return 0
		}
		return 1 + max(depth(n.left), depth(n.right))
	}
	// A side has at most 3/4 of the nodes.
	if got, most := depth(whole.root), int(math.Ceil(math.Log(keys)/math.Log(4./3)))+1; got > most {
		t.Errorf("%d keys lie %d deep, want at most %d", keys, got, most)
	}
}
