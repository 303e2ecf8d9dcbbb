package journal

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is the Merkle tree (RFC 6962) over a journal's records. It keeps some 64
// bytes for each and nothing of their content.
type tree struct {
	size   int64
	last   tlog.Hash   // leaf hash of the last record; zero when there is none
	hashes []tlog.Hash // in tlog's order of stored hashes
}

// add appends the leaf hash of the next record.
func (t *tree) add(leaf tlog.Hash) error {
	hashes, err := tlog.StoredHashesForRecordHash(t.size, leaf, t)
	if err != nil {
		return fmt.Errorf("journal: tree of %d records: %w", t.size, err)
	}
	t.hashes = append(t.hashes, hashes...)
	t.size++
	t.last = leaf
	return nil
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
	for i, index := range indexes {
		if index < 0 || index >= int64(len(t.hashes)) {
			return nil, fmt.Errorf("journal: no hash %d in the tree", index)
		}
		hashes[i] = t.hashes[index]
	}
	return hashes, nil
}

// head returns how far the tree reaches.
func (t *tree) head() (Head, error) {
	root, err := t.root(t.size)
	return Head{Size: t.size, Root: root}, err
}
