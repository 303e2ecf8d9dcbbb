package participant

import (
	"github.com/accord-fl/accord/participant/policy"
)

// room watches over the disk that the participant's folder lies on.
type room struct {
	dir     string
	reserve policy.Reserve
	space   func(dir string) (free, size uint64, err error)
	// copies is how many files of a model's size a training writes beside the
	// model: the update, and those that a program of the site's own is given and
	// leaves.
	copies int64
}

// allow returns a *policy.Refusal, for now, unless so many more bytes of a model
// of size bytes can be written, and what training makes of it, with the reserve
// left.
func (r room) allow(more, size int64) error {
	if r.reserve == (policy.Reserve{}) {
		return nil
	}
	free, all, err := r.space(r.dir)
	if err != nil {
		return nil // not known here; the disk itself says when it is full
	}
	if free < r.reserve.Of(all) || int64(min(free-r.reserve.Of(all), 1<<62)) < more+r.copies*size {
		return &policy.Refusal{Rule: policy.RuleDiskReserve, Reason: "the disk has too little room for a model of this size and its update", Later: true}
	}
	return nil
}
