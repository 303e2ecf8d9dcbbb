package trainer

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/accord-fl/accord/internal/disk"
)

// Result is what a training was made of.
type Result struct {
	Samples int64 // in the site's training set
	Steps   int64 // of the optimiser
	Metrics map[string]float64
}

// ErrDeclined marks a task that the site will not train: the fault lies not
// in the attempt but in the match between the task and the site.
var ErrDeclined = errors.New("declined")

// ErrDisk marks a training that could not begin because the site's disk did not
// take the task's files; it may at another time.
var ErrDisk = errors.New("the disk cannot be written to")

// onDisk marks err with ErrDisk when it is of that kind.
func onDisk(err error) error {
	if !disk.Passing(err) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	return diskFault{err}
}

type diskFault struct{ error }

func (d diskFault) Unwrap() []error { return []error{d.error, ErrDisk} }

// declined carries ErrDeclined without repeating it in the message.
type declined struct{ error }

func (d declined) Unwrap() []error { return []error{d.error, ErrDeclined} }

func declinef(format string, args ...any) error { return declined{fmt.Errorf(format, args...)} }
