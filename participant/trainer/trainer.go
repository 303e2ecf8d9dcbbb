package trainer

import (
	"errors"
	"fmt"
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

// declined carries ErrDeclined without repeating it in the message.
type declined struct{ error }

func (d declined) Unwrap() []error { return []error{d.error, ErrDeclined} }

func declinef(format string, args ...any) error { return declined{fmt.Errorf(format, args...)} }
