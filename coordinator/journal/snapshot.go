package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// compacted is the data of the first record of a compacted file. Records, which
// whoever compacts has given, follow it and belong to it.
type compacted struct {
	Removed int64     `json:"removed"` // records before it, of which the file keeps the leaf hashes
	Root    tlog.Hash `json:"root"`    // over these
	Records int64     `json:"records"`

	// What the removed records said of the journal itself: see identity.
	Role        Role             `json:"role,omitempty"`
	ID          string           `json:"id,omitempty"`
	Incarnation string           `json:"incarnation,omitempty"`
	Keys        []string         `json:"keys,omitempty"`
	Bounds      map[string]int64 `json:"bounds,omitempty"`
	Shown       []contested      `json:"shown,omitempty"`
	Registry    *registryHead    `json:"registry,omitempty"`
	Upgraded    bool             `json:"upgraded,omitempty"`
}

// snapshot returns what the journal's own records have said up to head.
func (s *identity) snapshot(head Head, records int) compacted {
	snap := compacted{
		Removed: head.Size, Root: head.Root, Records: int64(records),
		Role: s.role, ID: s.id, Incarnation: s.incarnation, Keys: s.keys, Bounds: s.bounds, Upgraded: s.upgraded,
	}
	for _, c := range s.shown {
		snap.Shown = append(snap.Shown, c.contested)
	}
	if s.registry != nil {
		snap.Registry = &registryHead{s.registry.Size, s.registry.Root}
	}
	return snap
}

// identity is the inverse of identity.snapshot.
func (snap compacted) identity() (identity, error) {
	s := identity{role: snap.Role, id: snap.ID, incarnation: snap.Incarnation, keys: snap.Keys, bounds: snap.Bounds, upgraded: snap.Upgraded}
	for _, c := range snap.Shown {
		opened, err := c.open(s.keys)
		if err != nil {
			return s, err
		}
		s.shown = append(s.shown, opened)
	}
	if snap.Registry != nil {
		s.registry = &Head{Size: snap.Registry.Size, Root: snap.Registry.Root}
	}
	return s, nil
}

// removed reads what a compacted file begins with: the hashes of the records that
// were removed.
func (r *reader) removed() error {
	r.partial, r.missing = true, 1
	line := make([]byte, removalBytes)
	if _, err := io.ReadFull(r.from, line); err != nil {
		return r.failed(err)
	}
	removal, err := parseRemoval(line)
	if err != nil {
		return r.damage(1, err)
	}
	r.s.removal, r.s.bytes, r.s.lines = removal, removalBytes, 1
	for tile := range removal.lines() {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if err := r.hashes(tile); err != nil {
			return err
		}
	}
	root, err := r.s.tree.root(removal.leaves)
	if err == nil && root != removal.root {
		err = errors.New("the hashes of the records that were removed do not lead to their root")
	}
	if err != nil {
		return r.damage(1, err)
	}
	r.endOld()
	r.s.old.Records = 0
	return nil
}

// hashes reads the line of a tile.
func (r *reader) hashes(tile int64) error {
	count, first := r.s.removal.in(tile), tile*tileLeaves+1
	line := make([]byte, hashesBytes(count))
	if r.size-r.s.bytes < int64(len(line)) {
		return r.damage(r.s.lines+1, errors.New("the file ends inside the hashes of the records that were removed"))
	}
	if _, err := io.ReadFull(r.from, line); err != nil {
		return r.failed(err)
	}
	leaves, err := parseHashes(line, first, count)
	if err != nil {
		return r.damageAt(r.s.lines+1, first, err)
	}
	if count == tileLeaves {
		r.s.tree.addTile(rootOf(leaves), leaves[count-1])
	} else {
		for _, leaf := range leaves {
			if err := r.s.tree.add(leaf); err != nil {
				return err
			}
		}
	}
	r.s.bytes += int64(len(line))
	r.s.lines++
	return nil
}

// snapshot takes in a record of the snapshot of a compacted file.
func (r *reader) snapshot(rec Record) error {
	r.missing--
	if r.s.tree.size > r.s.removal.leaves {
		switch {
		case r.missing < 0:
			return errors.New("it does not belong to the snapshot before it")
		case isOwn(rec.Kind):
			return errors.New("the snapshot before it is not complete")
		}
		return r.visit(rec)
	}
	if rec.Kind != kindSnapshot {
		return errors.New("no snapshot follows the hashes of the records that were removed")
	}
	var data compacted
	if err := json.Unmarshal(rec.Data, &data); err != nil {
		return err
	}
	if data.Removed != r.s.removal.leaves || data.Root != r.s.removal.root || data.Records < 0 {
		return fmt.Errorf("the snapshot is of %d records with root %s, and the hashes before it are of %d with root %s", data.Removed, data.Root, r.s.removal.leaves, r.s.removal.root)
	}
	r.missing = data.Records
	var err error
	r.s.own, err = data.identity()
	return err
}
