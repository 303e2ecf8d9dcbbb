package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// A compacted file begins with what it keeps of the records that were removed, a
// line of leaf hashes for each tile, of which the last may be incomplete:
//
//	{"compacted":2,"leaves":360060    ,"root":"…","check":"…"}
//	{"first":1         ,"hashes":"…","root":"…"}
//	{"first":257       ,"hashes":"…","root":"…"}
//
// All lines but the last have fixed lengths. The hashes are one base64 text, and
// the root is the one over them. The snapshot follows: see compact.go.
type removal struct {
	leaves int64
	root   tlog.Hash // over all leaves
}

const removalStart = `{"compacted":`

var errRemoval = errors.New("it is not the beginning of a compacted file")

func (r removal) line() []byte {
	line := fmt.Appendf(nil, `%s%d,"leaves":%-20d,"root":"%s","check":"`, removalStart, version, r.leaves, r.root)
	check := sha256.Sum256(line)
	return fmt.Appendf(line, "%x\"}\n", check[:checkBytes])
}

// removalBytes is the length of the first line of a compacted file with its
// newline.
var removalBytes = int64(len(removal{}.line()))

// parseRemoval reads the first line of a compacted file, removalBytes long.
func parseRemoval(line []byte) (removal, error) {
	var fields struct {
		Compacted int       `json:"compacted"`
		Leaves    int64     `json:"leaves"`
		Root      tlog.Hash `json:"root"`
	}
	if json.Unmarshal(line, &fields) != nil {
		return removal{}, errRemoval
	}
	if fields.Compacted > version {
		return removal{}, &newer{"a compacted file", fields.Compacted}
	}
	r := removal{fields.Leaves, fields.Root}
	if r.leaves < 1 || !bytes.Equal(r.line(), line) {
		return removal{}, errors.New("the beginning of a compacted file does not match its checksum")
	}
	return r, nil
}

// lines is the number of lines of hashes.
func (r removal) lines() int64 { return (r.leaves + tileLeaves - 1) / tileLeaves }

// in is the number of leaves of a tile.
func (r removal) in(tile int64) int { return int(min(tileLeaves, r.leaves-tile*tileLeaves)) }

// offset is where the line of a tile begins in the file.
func (r removal) offset(tile int64) int64 { return removalBytes + tile*hashesBytes(tileLeaves) }

// hashesLine is the line of the leaf hashes that begin with that of record first.
func hashesLine(first int64, leaves []tlog.Hash) []byte {
	raw := make([]byte, 0, len(leaves)*tlog.HashSize)
	for _, leaf := range leaves {
		raw = append(raw, leaf[:]...)
	}
	line := make([]byte, 0, hashesBytes(len(leaves)))
	line = fmt.Appendf(line, `{"first":%-20d,"hashes":"`, first)
	line = base64.StdEncoding.AppendEncode(line, raw)
	return fmt.Appendf(line, "\",\"root\":\"%s\"}\n", rootOf(leaves))
}

// hashesAt is where the hashes begin in their line.
const hashesAt = len(`{"first":12345678901234567890,"hashes":"`)

// hashesBytes is the length of the line of so many leaf hashes, with its newline.
func hashesBytes(leaves int) int64 {
	const others = len(`","root":""}`) + 1
	base := base64.StdEncoding
	return int64(hashesAt + others + base.EncodedLen(leaves*tlog.HashSize) + base.EncodedLen(tlog.HashSize))
}

// parseHashes reads the line of so many leaf hashes that begin with that of record
// first.
func parseHashes(line []byte, first int64, count int) ([]tlog.Hash, error) {
	changed := fmt.Errorf("the hashes of records %d to %d, which were removed, are not what was written", first, first+int64(count)-1)
	text := base64.StdEncoding.EncodedLen(count * tlog.HashSize)
	if int64(len(line)) != hashesBytes(count) {
		return nil, changed
	}
	raw, err := base64.StdEncoding.AppendDecode(nil, line[hashesAt:hashesAt+text])
	if err != nil || len(raw) != count*tlog.HashSize {
		return nil, changed
	}
	leaves := make([]tlog.Hash, count)
	for i := range leaves {
		copy(leaves[i][:], raw[i*tlog.HashSize:])
	}
	if !bytes.Equal(hashesLine(first, leaves), line) {
		return nil, changed
	}
	return leaves, nil
}
