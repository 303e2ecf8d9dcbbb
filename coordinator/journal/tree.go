package journal

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// A tile is a complete subtree of the tree over a journal's records.
const (
	tileLevel  = 8
	tileLeaves = 1 << tileLevel
)

// tree is the Merkle tree (RFC 6962) over a journal's records. It keeps some 64
// bytes for each record that is in the file, a quarter of a byte for each that a
// compaction has removed, and nothing of their content.
type tree struct {
	size int64
	last tlog.Hash // leaf hash of the last record; zero when there is none

	// The first leaves, removed of them, a multiple of tileLeaves, are in the file
	// alone: read returns those of a tile. tiles are the hashes above them, as the
	// stored hashes of a tree in tlog's order whose leaves are the tiles' roots.
	removed int64
	tiles   []tlog.Hash
	read    func(tile int64) ([]tlog.Hash, error)

	hashes []tlog.Hash // all that come after the removed leaves', in tlog's order
}

// add appends the leaf hash of the next record.
func (t *tree) add(leaf tlog.Hash) error {
	t.last = leaf
	t.hashes = append(t.hashes, leaf)
	hash := leaf
	for level, n := 0, t.size; n&1 == 1; level, n = level+1, n>>1 {
		left, err := t.hash(level, n-1)
		if err != nil {
			return fmt.Errorf("journal: tree of %d records: %w", t.size, err)
		}
		hash = tlog.NodeHash(left, hash)
		t.hashes = append(t.hashes, hash)
	}
	t.size++
	return nil
}

// addTile appends the leaf hashes of a tile whose root is known, which the file
// keeps.
func (t *tree) addTile(root, last tlog.Hash) {
	t.tiles = append(t.tiles, root)
	for level, n := 0, t.removed>>tileLevel; n&1 == 1; level, n = level+1, n>>1 {
		root = tlog.NodeHash(t.tiles[tlog.StoredHashIndex(level, n-1)], root)
		t.tiles = append(t.tiles, root)
	}
	t.removed += tileLeaves
	t.size, t.last = t.removed, last
}

// root returns the root over the first size records.
func (t *tree) root(size int64) (tlog.Hash, error) {
	if size < 0 || size > t.size {
		return tlog.Hash{}, fmt.Errorf("journal: no root at %d: there are %d records", size, t.size)
	}
	return tlog.TreeHash(size, t)
}

// ReadHashes implements tlog.HashReader.
func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	once := *t // reads a tile once, although more than one hash of it may be needed
	once.read = t.readOnce()
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		hash, err := once.hash(level, n)
		if err != nil {
			return nil, err
		}
		hashes[i] = hash
	}
	return hashes, nil
}

// readOnce returns a read that remembers the last tile.
func (t *tree) readOnce() func(int64) ([]tlog.Hash, error) {
	if t.read == nil {
		return nil
	}
	known, leaves := int64(-1), []tlog.Hash(nil)
	return func(tile int64) (_ []tlog.Hash, err error) {
		if tile != known {
			known = -1
			if leaves, err = t.read(tile); err == nil {
				known = tile
			}
		}
		return leaves, err
	}
}

// hash returns the n-th hash of a level.
func (t *tree) hash(level int, n int64) (tlog.Hash, error) {
	switch end := (n + 1) << level; {
	case n < 0 || end > t.size:
		return tlog.Hash{}, fmt.Errorf("journal: no hash %d of level %d in the tree", n, level)
	case end > t.removed:
		return t.hashes[tlog.StoredHashIndex(level, n)-tlog.StoredHashIndex(0, t.removed)], nil
	case level >= tileLevel:
		return t.tiles[tlog.StoredHashIndex(level-tileLevel, n)], nil
	case t.read == nil:
		return tlog.Hash{}, errors.New("journal: the hashes of removed records are not at hand")
	}
	leaves, err := t.read(n << level >> tileLevel)
	if err != nil {
		return tlog.Hash{}, err
	}
	first := n << level % tileLeaves
	return rootOf(leaves[first : first+1<<level]), nil
}

// leaves returns the leaf hashes of a tile, or what there is of it.
func (t *tree) leaves(tile int64) ([]tlog.Hash, error) {
	first := tile << tileLevel
	if first < t.removed {
		return t.read(tile)
	}
	var leaves []tlog.Hash
	for n := first; n < min(first+tileLeaves, t.size); n++ {
		leaf, err := t.hash(0, n)
		if err != nil {
			return nil, err
		}
		leaves = append(leaves, leaf)
	}
	return leaves, nil
}

// without returns the tree that keeps the leaf hashes of the tiles that are
// complete in the file. It shares nothing that changes with t.
func (t *tree) without() (tree, error) {
	next := tree{read: t.read}
	for tile := range t.size >> tileLevel {
		root, err := t.hash(tileLevel, tile)
		if err != nil {
			return tree{}, err
		}
		next.addTile(root, root)
	}
	rest, err := t.leaves(t.size >> tileLevel)
	for _, leaf := range rest {
		err = errors.Join(err, next.add(leaf))
	}
	next.last = t.last
	return next, err
}

// head returns how far the tree reaches.
func (t *tree) head() (Head, error) {
	root, err := t.root(t.size)
	return Head{Size: t.size, Root: root}, err
}

// rootOf returns the root over some leaf hashes, at least one.
func rootOf(leaves []tlog.Hash) tlog.Hash {
	if len(leaves) == 1 {
		return leaves[0]
	}
	half := 1
	for 2*half < len(leaves) {
		half *= 2
	}
	return tlog.NodeHash(rootOf(leaves[:half]), rootOf(leaves[half:]))
}
