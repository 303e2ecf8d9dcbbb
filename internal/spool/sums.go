package spool

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"hash/maphash"
)

// blockBytes is how much of a blob has one checksum. A read checks whole blocks,
// so small blocks make small reads cheap; each costs 8 bytes of memory.
const blockBytes = 16 << 10

// sums are what a blob's bytes are checked against whenever some of them are
// read: a checksum of 64 bits for each block, taken from the very bytes whose
// SHA-256 is the blob's name. They are keyed by a secret of this process and are
// never stored.
type sums struct {
	size   int64
	blocks []uint64
}

// seed is the secret. It has no influence on what is stored or computed.
var seed = maphash.MakeSeed()

// digester is an io.Writer that takes the SHA-256 and the sums of what is
// written. Use newDigester.
type digester struct {
	sha   hash.Hash
	block maphash.Hash // of the block under way
	sums  sums
}

func newDigester() *digester {
	d := &digester{sha: sha256.New()}
	d.block.SetSeed(seed)
	return d
}

// Write implements io.Writer. It never fails.
func (d *digester) Write(p []byte) (int, error) {
	d.sha.Write(p)
	for rest := p; len(rest) > 0; {
		n := min(len(rest), int(blockBytes-d.sums.size%blockBytes))
		d.block.Write(rest[:n])
		d.sums.size += int64(n)
		if d.sums.size%blockBytes == 0 {
			d.endBlock()
		}
		rest = rest[n:]
	}
	return len(p), nil
}

func (d *digester) endBlock() {
	d.sums.blocks = append(d.sums.blocks, d.block.Sum64())
	d.block.Reset()
}

// Reset forgets what was written.
func (d *digester) Reset() {
	d.sha.Reset()
	d.block.Reset()
	d.sums = sums{}
}

// end returns the digest and the sums of all that was written, which ends it.
func (d *digester) end() (digest string, all *sums) {
	if d.sums.size%blockBytes > 0 {
		d.endBlock()
	}
	return hex.EncodeToString(d.sha.Sum(nil)), &d.sums
}

// holds reports whether p, which begins with block first, is what the sums were
// taken of. p ends with a block or with the blob.
func (s *sums) holds(p []byte, first int64) bool {
	for ; len(p) > 0; first++ {
		n := min(len(p), blockBytes)
		if maphash.Bytes(seed, p[:n]) != s.blocks[first] {
			return false
		}
		p = p[n:]
	}
	return true
}
