package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"slices"
)

// blockBytes is how much of a blob has one checksum. A read checks whole blocks,
// so small blocks make small reads cheap; each costs 4 bytes of memory.
const blockBytes = 16 << 10

// sums are what a blob's bytes are checked against whenever some of them are
// read: the CRC-32C of each block, taken from the very bytes whose SHA-256 is the
// blob's name. They are kept in memory alone.
type sums struct {
	size   int64
	blocks []uint32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// digester is an io.Writer that takes the SHA-256 and the sums of what is
// written. Use newDigester.
type digester struct {
	sha   hash.Hash
	block uint32 // of the block under way
	sums  sums
}

func newDigester() *digester { return &digester{sha: sha256.New()} }

// Write implements io.Writer. It never fails.
func (d *digester) Write(p []byte) (int, error) {
	d.sha.Write(p)
	for rest := p; len(rest) > 0; {
		n := min(len(rest), int(blockBytes-d.sums.size%blockBytes))
		d.block = crc32.Update(d.block, castagnoli, rest[:n])
		d.sums.size += int64(n)
		if d.sums.size%blockBytes == 0 {
			d.endBlock()
		}
		rest = rest[n:]
	}
	return len(p), nil
}

func (d *digester) endBlock() {
	d.sums.blocks = append(d.sums.blocks, d.block)
	d.block = 0
}

// Reset forgets what was written.
func (d *digester) Reset() {
	*d = digester{sha: d.sha}
	d.sha.Reset()
}

// end returns the digest and the sums of all that was written, which ends it.
func (d *digester) end() (digest string, all *sums) {
	if d.sums.size%blockBytes > 0 {
		d.endBlock()
	}
	d.sums.blocks = slices.Clip(d.sums.blocks)
	return hex.EncodeToString(d.sha.Sum(nil)), &d.sums
}

// holds reports whether p, which begins with block first, is what the sums were
// taken of. p ends with a block or with the blob.
func (s *sums) holds(p []byte, first int64) bool {
	for ; len(p) > 0; first++ {
		n := min(len(p), blockBytes)
		if crc32.Checksum(p[:n], castagnoli) != s.blocks[first] {
			return false
		}
		p = p[n:]
	}
	return true
}
