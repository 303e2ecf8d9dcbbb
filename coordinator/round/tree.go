package round

import (
	"cmp"
	"iter"
)

// tree is a map in the order of its keys that is never changed: set and remove
// return another tree, which shares all but O(log n) nodes with this one. The
// zero tree is empty.
//
// It is balanced by weight: no side of a node has more than three times the
// nodes of the other (Adams 1993, with the parameters of Hirai and Yamamoto
// 2011).
type tree[K cmp.Ordered, V any] struct{ root *node[K, V] }

// The parameters of the balance.
const (
	heavier = 3 // how many times as many nodes a side may have
	doubled = 2 // from which ratio within the heavy side on the rotation is double
)

type node[K cmp.Ordered, V any] struct {
	key         K
	value       V
	left, right *node[K, V]
	nodes       int // in the subtree, this one among them
}

func (t tree[K, V]) len() int { return t.root.len() }

func (t tree[K, V]) get(key K) (value V, ok bool) {
	for n := t.root; n != nil; {
		switch c := cmp.Compare(key, n.key); {
		case c < 0:
			n = n.left
		case c > 0:
			n = n.right
		default:
			return n.value, true
		}
	}
	return value, false
}

// set returns the tree in which key has the value.
func (t tree[K, V]) set(key K, value V) tree[K, V] { return tree[K, V]{t.root.set(key, value)} }

// remove returns the tree without key.
func (t tree[K, V]) remove(key K) tree[K, V] { return tree[K, V]{t.root.remove(key)} }

// all yields keys and values in the order of keys.
func (t tree[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { t.root.walk(yield) }
}

// first returns the least key and its value.
func (t tree[K, V]) first() (key K, value V, ok bool) {
	if t.root == nil {
		return key, value, false
	}
	n := t.root.first()
	return n.key, n.value, true
}

func (n *node[K, V]) len() int {
	if n == nil {
		return 0
	}
	return n.nodes
}

func (n *node[K, V]) walk(yield func(K, V) bool) bool {
	return n == nil || n.left.walk(yield) && yield(n.key, n.value) && n.right.walk(yield)
}

func (n *node[K, V]) first() *node[K, V] {
	for n.left != nil {
		n = n.left
	}
	return n
}

func (n *node[K, V]) set(key K, value V) *node[K, V] {
	if n == nil {
		return &node[K, V]{key: key, value: value, nodes: 1}
	}
	switch c := cmp.Compare(key, n.key); {
	case c < 0:
		return n.balance(n.left.set(key, value), n.right)
	case c > 0:
		return n.balance(n.left, n.right.set(key, value))
	default:
		return &node[K, V]{key, value, n.left, n.right, n.nodes}
	}
}

func (n *node[K, V]) remove(key K) *node[K, V] {
	if n == nil {
		return nil
	}
	switch c := cmp.Compare(key, n.key); {
	case c < 0:
		return n.balance(n.left.remove(key), n.right)
	case c > 0:
		return n.balance(n.left, n.right.remove(key))
	case n.right == nil:
		return n.left
	}
	next := n.right.first()
	return next.balance(n.left, n.right.remove(next.key))
}

// with returns n's key and value over two other sides.
func (n *node[K, V]) with(left, right *node[K, V]) *node[K, V] {
	return &node[K, V]{n.key, n.value, left, right, left.len() + right.len() + 1}
}

// balance is with for sides of which one may have become too heavy by a node.
func (n *node[K, V]) balance(left, right *node[K, V]) *node[K, V] {
	l, r := left.len(), right.len()
	switch {
	case l+r < 2:
		return n.with(left, right)
	case r > heavier*l && right.left.len() < doubled*right.right.len():
		return right.with(n.with(left, right.left), right.right)
	case r > heavier*l:
		middle := right.left
		return middle.with(n.with(left, middle.left), right.with(middle.right, right.right))
	case l > heavier*r && left.right.len() < doubled*left.left.len():
		return left.with(left.left, n.with(left.right, right))
	case l > heavier*r:
		middle := left.right
		return middle.with(left.with(left.left, middle.left), n.with(middle.right, right))
	}
	return n.with(left, right)
}
