package layer

import "fmt"

// maxTaps is the largest window of a maximum pool: positions are kept in bytes.
const maxTaps = 256

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

// cells lists, for each window, where its positions start in a sample.
func (p *pool) cells() [][]int32 {
	cells := make([][]int32, 0, p.rows.out*p.cols.out)
	for oy := range p.rows.out {
		y0, y1 := p.rows.clip(oy)
		for ox := range p.cols.out {
			x0, x1 := p.cols.clip(ox)
			taps := make([]int32, 0, (y1-y0)*(x1-x0))
			for y := y0; y < y1; y++ {
				for x := x0; x < x1; x++ {
					taps = append(taps, int32((y*p.in.W+x)*p.in.C))
				}
			}
			cells = append(cells, taps)
		}
	}
	return cells
}

func checkTaps(w Window) error {
	if w.Size[0]*w.Size[1] > maxTaps {
		return fmt.Errorf("a window of %d×%d is too large: at most %d positions can be compared", w.Size[0], w.Size[1], maxTaps)
	}
	return nil
}
