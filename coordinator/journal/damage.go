package journal

import (
	"errors"
	"fmt"

	"github.com/accord-fl/accord/internal/fault"
)

// Damage is what is wrong with a file that is not what Append has written. It is
// of class fault.Input. The file was not changed.
type Damage struct {
	Path   string
	Line   int64 // from 1
	Record int64 // from 1: the first that is not to be had
	Err    error // what is wrong

	keep  int64 // the bytes before the damage: whole batches
	whole int64 // the records in these
}

// Error says what is wrong, where, and what to do.
func (d *Damage) Error() string {
	if d.whole == 0 {
		return fmt.Sprintf("%s:%d: record %d: %v. Nothing was changed. Put back a backup of the folder: of what is left of the file nothing can be kept",
			d.Path, d.Line, d.Record, d.Err)
	}
	return fmt.Sprintf("%s:%d: record %d: %v. Nothing was changed. Put back a backup of the folder, or give up what is not readable: accord coordinator restore --cut keeps the first %d records",
		d.Path, d.Line, d.Record, d.Err, d.whole)
}

func (d *Damage) Unwrap() error { return d.Err }

// Cut says what was removed from the end of a file that a crash had left in the
// middle of a batch. What was removed had been acknowledged to nobody.
type Cut struct {
	Path   string
	Bytes  int64  // that were removed
	Offset int64  // where they began
	Record int64  // the first that they held
	Why    string // for people
}

func (r *reader) damage(line int64, err error) error {
	return r.damageAt(line, r.s.tree.size+1, err)
}

func (r *reader) damageAt(line, record int64, err error) error {
	var format *newer
	if errors.As(err, &format) {
		return r.refuse(line, record, err)
	}
	d := &Damage{Path: r.path, Line: line, Record: record, Err: err, keep: r.s.bytes, whole: r.s.whole}
	if r.partial {
		d.keep, d.whole = 0, 0
	}
	return fault.As(fault.Input, d)
}

// refuse is the error about a record that is whole and that this version cannot
// take in.
func (r *reader) refuse(line, record int64, err error) error {
	return fault.Inputf("%s:%d: record %d: %w", r.path, line, record, err)
}
