package layer

import (
	"fmt"

	"github.com/accord-fl/accord/internal/kernel"
)

// maxTaps is the largest window of a maximum pool: positions are kept in bytes,
// of which one value means none.
const maxTaps = kernel.Dead

// pool is what both kinds of pooling share. With padding, positions outside the
// image do not count.
type pool struct {
	in         Shape
	rows, cols axis
}

func newPool(in Shape, w Window) (pool, error) {
	rows, cols, err := w.over(in)
	if err != nil {
		return pool{}, err
	}
	return pool{in: in, rows: rows, cols: cols}, nil
}

// Out returns the number of windows down and across, and the channels.
func (p *pool) Out() Shape { return Shape{p.rows.out, p.cols.out, p.in.C} }

// Weights returns nil.
func (p *pool) Weights() []Weight { return nil }

// tiles reports whether every position of the input lies in exactly one window.
func (p *pool) tiles() bool { return p.rows.tiles() && p.cols.tiles() }

// poolRun is a stretch of neighbouring cells whose windows look alike: the first
// is number cell, and its window starts at element from of a sample.
type poolRun struct {
	kernel.Pooling
	cell, from int
}

// runs lists the windows over samples with the given stride.
func (p *pool) runs(stride int) []poolRun {
	var runs []poolRun
	for oy := range p.rows.out {
		y0, y1 := p.rows.clip(oy)
		last := -1 // x1−x0 of the run under way, which ends at a row's end
		for ox := range p.cols.out {
			x0, x1 := p.cols.clip(ox)
			// A window that is cut at the left starts less than a stride before
			// the next, so it is always a run of its own.
			if whole := ox*p.cols.stride >= p.cols.before; whole && x1-x0 == last {
				runs[len(runs)-1].Cells++
				continue
			} else if last = -1; whole {
				last = x1 - x0
			}
			runs = append(runs, poolRun{
				Pooling: kernel.Pooling{Taps: p.taps(y1-y0, x1-x0, stride), Step: p.cols.stride * stride, Cells: 1},
				cell:    oy*p.cols.out + ox,
				from:    (y0*p.in.W + x0) * stride,
			})
		}
	}
	return runs
}

// taps lists the positions of a window of h×w relative to its first.
func (p *pool) taps(h, w, stride int) []int32 {
	taps := make([]int32, 0, h*w)
	for y := range h {
		for x := range w {
			taps = append(taps, int32((y*p.in.W+x)*stride))
		}
	}
	return taps
}

func checkTaps(w Window) error {
	if w.Size[0]*w.Size[1] > maxTaps {
		return fmt.Errorf("a window of %d×%d is too large: at most %d positions can be compared", w.Size[0], w.Size[1], maxTaps)
	}
	return nil
}
