package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Files of the version before are lines of records, without batches, without
// hashes. They are read as they are; the first batch that is written behind such
// lines holds an upgrade record, which vouches for them from then on.
const oldStart = `{"seq":`

// oldLine reads a line of the version before.
func oldLine(data []byte) (Record, error) {
	var rec Record
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&rec); err != nil {
		return Record{}, fmt.Errorf("not a journal record: %w", err)
	}
	if d.InputOffset() != int64(len(data)) {
		return Record{}, errors.New("more than a record on the line")
	}
	return rec, nil
}

// isOld reports whether what follows the records of the version before, rest,
// begins with another of them, or with a part of one if it ends there.
func isOld(rest []byte) bool {
	return bytes.HasPrefix(rest, []byte(oldStart)) || len(rest) < len(oldStart) && bytes.HasPrefix([]byte(oldStart), rest)
}

// oldTorn reports whether a last line without its newline is the beginning of a
// record that a crash has cut short.
func oldTorn(line []byte, offset int64) bool {
	if zeroed(line, offset, 0, int64(len(line))) {
		return true
	}
	d := json.NewDecoder(bytes.NewReader(line))
	var rec json.RawMessage
	if err := d.Decode(&rec); err != nil {
		return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
	}
	return d.InputOffset() == int64(len(line))
}
