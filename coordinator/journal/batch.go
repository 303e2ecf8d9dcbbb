package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// version is the format of batches and records that this code writes. A file of
// the version before has lines of records alone: see oldLine.
const version = 2

// A batch is what one Append wrote:
//
//	{"batch":2,"first":7   ,"records":2  ,"bytes":412   ,"sha256":"…","check":"…"}
//	{"v":2,"seq":7,"prev":"…","at":"…","run":"…","kind":"…","data":…}
//	{"v":2,"seq":8,"prev":"…","at":"…","run":"…","kind":"…","data":…}
//	{"commit":8}
//
// The header has a fixed length. Its bytes and sha256 are those of everything
// after it, its check is the beginning of the SHA-256 of what is before the check
// in the header.
type header struct {
	first   uint64
	records int
	bytes   int64
	sum     [sha256.Size]byte
}

const (
	headerStart = `{"batch":`
	markStart   = `{"commit":`
	checkBytes  = 8
)

// headerBytes is the length of a header's line with its newline.
var headerBytes = int64(len(header{}.line()))

// opening is the beginning of the header of a batch that starts with record
// first: all that can be known of it before it is read.
func opening(first uint64) string {
	return fmt.Sprintf(`%s%d,"first":%-20d,"records":`, headerStart, version, first)
}

func (h header) line() []byte {
	line := fmt.Appendf(nil, `%s%-10d,"bytes":%-20d,"sha256":"%x","check":"`, opening(h.first), h.records, h.bytes, h.sum)
	check := sha256.Sum256(line)
	return fmt.Appendf(line, "%x\"}\n", check[:checkBytes])
}

// newer is a batch or a record in a format that this version does not know.
type newer struct {
	what   string
	format int
}

func (n *newer) Error() string {
	return fmt.Sprintf("%s of format %d, where this version knows format %d: it was written by a newer version (upgrade this one), or it is damaged", n.what, n.format, version)
}

var errHeader = errors.New("it is not the header of a batch")

// parseHeader reads the line of a header, headerBytes long. An error says in what
// it does not fit.
func parseHeader(line []byte) (header, error) {
	var fields struct {
		Batch   int    `json:"batch"`
		First   uint64 `json:"first"`
		Records int    `json:"records"`
		Bytes   int64  `json:"bytes"`
		SHA256  string `json:"sha256"`
	}
	if !bytes.HasPrefix(line, []byte(headerStart)) || json.Unmarshal(line, &fields) != nil {
		return header{}, errHeader
	}
	if fields.Batch > version {
		return header{}, &newer{"a batch", fields.Batch}
	}
	if fields.Records < 1 || fields.Bytes < 1 {
		return header{}, errHeader
	}
	h := header{first: fields.First, records: fields.Records, bytes: fields.Bytes}
	if n, err := hex.Decode(h.sum[:], []byte(fields.SHA256[:min(len(fields.SHA256), 2*len(h.sum))])); err != nil || n != len(h.sum) {
		return header{}, errHeader
	}
	if !bytes.Equal(h.line(), line) {
		return header{}, errors.New("the header of a batch does not match its checksum")
	}
	return h, nil
}

// The unit in which a disk writes all or nothing, and how much of a batch must
// lie in such a block for its zeros to count: a flipped byte, too, may read as 0.
const (
	blockBytes = 512
	zeroBytes  = 8
)

// mark is the line that ends a batch. Where the batch would end a few bytes behind
// or before the boundary of a block, spaces move the end: of each block that a
// batch touches it holds zeroBytes or more.
func mark(last uint64, offset int64) []byte {
	line := fmt.Appendf(nil, `%s%d}`, markStart, last)
	for {
		end := (offset + int64(len(line)) + 1) % blockBytes
		if end == 0 || end >= zeroBytes && end <= blockBytes-zeroBytes {
			return append(line, '\n')
		}
		line = append(line, ' ')
	}
}

// isMark reports whether line, without its newline, ends a batch whose last
// record is last.
func isMark(line []byte, last uint64) bool {
	return string(bytes.TrimRight(line, " ")) == fmt.Sprintf(`%s%d}`, markStart, last)
}

// line is a record as it is written.
type line struct {
	V    int             `json:"v"`
	Seq  uint64          `json:"seq"`
	Prev tlog.Hash       `json:"prev"` // leaf hash of the record before
	At   time.Time       `json:"at"`
	Run  string          `json:"run"`
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data"`
}

func (l line) record() Record {
	return Record{Seq: l.Seq, At: l.At, Run: l.Run, Kind: l.Kind, Data: l.Data}
}

// encode returns the bytes of a batch that is written at offset after a record
// with the leaf hash prev, and its records' leaf hashes.
func encode(records []Record, prev tlog.Hash, offset int64) ([]byte, []tlog.Hash, error) {
	batch := bytes.NewBuffer(make([]byte, headerBytes, int(headerBytes)+512*len(records)))
	leaves := make([]tlog.Hash, len(records))
	for i, rec := range records {
		data, err := json.Marshal(line{version, rec.Seq, prev, rec.At, rec.Run, rec.Kind, rec.Data})
		if err != nil {
			return nil, nil, err
		}
		prev = tlog.RecordHash(data)
		leaves[i] = prev
		batch.Write(data)
		batch.WriteByte('\n')
	}
	batch.Write(mark(records[len(records)-1].Seq, offset+int64(batch.Len())))
	b := batch.Bytes()
	body := b[headerBytes:]
	copy(b, header{records[0].Seq, len(records), int64(len(body)), sha256.Sum256(body)}.line())
	return b, leaves, nil
}

// parse reads the line of a record, without its newline.
func parse(data []byte) (line, error) {
	var l line
	if err := json.Unmarshal(data, &l); err != nil {
		return l, fmt.Errorf("not a journal record: %w", err)
	}
	switch {
	case l.V > version:
		return l, &newer{"a record", l.V}
	case l.V != version:
		return l, fmt.Errorf("not a journal record: its format is %d", l.V)
	}
	return l, nil
}
