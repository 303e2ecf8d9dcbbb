package journal

import (
	"bufio"
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// compactor writes a compacted file behind its first line.
type compactor struct {
	ctx context.Context
	w   *bufio.Writer
	s   *state // of what it has written
}

func (c *compactor) write(data []byte) error {
	n, err := c.w.Write(data)
	c.s.bytes += int64(n)
	return err
}

// removed writes what is left of the records of a tree, from a tile on.
func (c *compactor) removed(from *tree, tile int64) (err error) {
	for ; tile < c.s.removal.lines(); tile++ {
		leaves, err := from.leaves(tile)
		if err != nil {
			return err
		}
		if err := c.hashes(tile, leaves); err != nil {
			return err
		}
	}
	c.s.lines = 1 + c.s.removal.lines()
	c.s.tree, err = from.without()
	return err
}

// hashes writes the line of a tile.
func (c *compactor) hashes(tile int64, leaves []tlog.Hash) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return c.write(hashesLine(tile*tileLeaves+1, leaves, rootOf(leaves)))
}

// A snapshot is written in batches of about so many bytes.
const snapshotBatch = 1 << 20

// snapshot writes the snapshot of the records up to head.
func (c *compactor) snapshot(records []Record, head Head) error {
	first, err := ownRecord(0, kindSnapshot, c.s.own.snapshot(head, len(records)))
	if err != nil {
		return err
	}
	var batch []Record
	length := 0
	for i, rec := range append([]Record{first}, records...) {
		if i > 0 && isOwn(rec.Kind) {
			return fmt.Errorf("a record of kind %.40q cannot belong to a snapshot", rec.Kind)
		}
		rec.Seq = uint64(head.Size) + 1 + uint64(i)
		batch, length = append(batch, rec), length+len(rec.Data)
		if length >= snapshotBatch {
			if err := c.batch(batch); err != nil {
				return err
			}
			batch, length = nil, 0
		}
	}
	if err := c.batch(batch); err != nil {
		return err
	}
	c.s.head, err = c.s.tree.head()
	c.s.kept = Tail{c.s.tree.size, c.s.bytes}
	c.s.whole = c.s.tree.size
	return err
}

// batch writes some records.
func (c *compactor) batch(records []Record) error {
	if len(records) == 0 {
		return c.ctx.Err()
	}
	data, leaves, err := encode(records, c.s.tree.last, c.s.bytes)
	if err != nil {
		return err
	}
	c.s.last = c.s.bytes
	if err := c.write(data); err != nil {
		return err
	}
	for _, leaf := range leaves {
		if err := c.s.tree.add(leaf); err != nil {
			return err
		}
	}
	c.s.lines += int64(len(records)) + 2
	c.s.batches++
	return c.ctx.Err()
}
