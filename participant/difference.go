package participant

import (
	"errors"
	"math"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// errDiverged is what others may know of a training that diverged.
var errDiverged = fault.As(train.ErrDiverged, errors.New("training diverged: a loss or a weight is no longer a finite number; "+
	"check the scale of the site's inputs, or lower the learning rate"))

// errOverflow is why an update cannot be made of weights that are finite.
var errOverflow = fault.As(train.ErrDiverged, errors.New("training diverged: it has moved a weight further than a 32-bit number can hold; "+
	"check the scale of the site's inputs, or lower the learning rate"))

// diverged reports whether a training failed because its numbers were not finite,
// as it would again.
func diverged(err error) bool {
	return errors.Is(err, train.ErrDiverged) || errors.Is(err, model.ErrNotFinite)
}

// difference is what training added to the global model, element by element.
// One goroutine may read it.
type difference struct {
	of, base model.Vector
	buffer   []float32
}

// ReadAt implements model.Vector. A difference that is not finite is errOverflow.
func (d *difference) ReadAt(dst []float32, off int) error {
	if len(d.buffer) < len(dst) {
		d.buffer = make([]float32, len(dst))
	}
	base := d.buffer[:len(dst)]
	if err := errors.Join(d.of.ReadAt(dst, off), d.base.ReadAt(base, off)); err != nil {
		return err
	}
	// The exponent of what is no number is all ones: one more carries into the sign.
	const exponent, one, sign = 0xff << 23, 1 << 23, 1 << 31
	var carried uint32
	for i, b := range base {
		dst[i] -= b
		carried |= math.Float32bits(dst[i])&exponent + one
	}
	if carried&sign != 0 {
		return errOverflow
	}
	return nil
}
