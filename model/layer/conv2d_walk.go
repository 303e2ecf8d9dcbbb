package layer

import "github.com/accord-fl/accord/internal/kernel"

// sources lists where each position's window starts in a padded sample.
func (l *Conv2D) sources() []int32 {
	in := l.padded()
	starts := make([]int32, 0, l.positions())
	for oy := range l.rows.out {
		for ox := range l.cols.out {
			starts = append(starts, int32((oy*l.rows.stride*in.W+ox*l.cols.stride)*in.C))
		}
	}
	return starts
}

// segments lists the rows of a window relative to where it starts.
func (l *Conv2D) segments() []kernel.Segment {
	in := l.padded()
	rows := make([]kernel.Segment, l.rows.size)
	for ky := range rows {
		rows[ky] = kernel.Segment{A: ky * in.W * in.C, B: ky * l.rowDepth()}
	}
	return rows
}

// forwardWalk visits, for each position, the rows of its window. Cells are the
// pixels of the padded sample, and term k of the sample multiplies row k, so a
// row's base takes it from where the row starts to ky·rowDepth.
func (l *Conv2D) forwardWalk() kernel.Walk {
	in := l.padded()
	var w kernel.Walk
	for _, start := range l.sources() {
		for ky := range l.rows.size {
			from := int(start)/in.C + ky*in.W
			w.Runs = append(w.Runs, kernel.Run{
				From: int32(from),
				To:   int32(from + l.cols.size),
				Base: kernel.RowOffset(ky*l.rowDepth() - from*in.C),
			})
		}
		w.EndRow()
	}
	return w
}

// inputWalk visits, for each pixel of the sample (without padding), the
// positions whose windows cover it. Cells are positions, and the term of filter f
// at position p multiplies row p·filters + f, so the base takes it to the row of
// (ky, kx, f) in wt. As ox grows kx falls; wt holds kx from right to left, so
// with stride 1 neighbouring positions share a base and become one run.
func (l *Conv2D) inputWalk() kernel.Walk {
	var w kernel.Walk
	for y := range l.in.H {
		for x := range l.in.W {
			for ky := range l.rows.size {
				if oy, ok := l.rows.position(y, ky); ok {
					w.Runs = l.coverers(w.Runs, oy, ky, x)
				}
			}
			w.EndRow()
		}
	}
	return w
}

// coverers appends the positions of row oy whose windows cover column x with
// their row ky.
func (l *Conv2D) coverers(runs []kernel.Run, oy, ky, x int) []kernel.Run {
	begin := len(runs)
	for kx := l.cols.size - 1; kx >= 0; kx-- {
		ox, ok := l.cols.position(x, kx)
		if !ok {
			continue
		}
		p := oy*l.cols.out + ox
		row := ky*l.cols.size + l.cols.size - 1 - kx
		run := kernel.Run{From: int32(p), To: int32(p + 1), Base: kernel.RowOffset((row - p) * l.filters)}
		if n := len(runs); n > begin && runs[n-1].To == run.From && runs[n-1].Base == run.Base {
			runs[n-1].To = run.To
			continue
		}
		runs = append(runs, run)
	}
	return runs
}

// position returns the window that covers pixel i with its element k.
func (a axis) position(i, k int) (int, bool) {
	start := i + a.before - k
	if start < 0 || start%a.stride != 0 || start/a.stride >= a.out {
		return 0, false
	}
	return start / a.stride, true
}

// weightWalk visits, for each filter and window row ky, all places where the
// filter has a gradient. Cells are filters; their terms carry the place where
// the window starts.
func (l *Conv2D) weightWalk() kernel.Walk {
	in := l.padded()
	var w kernel.Walk
	for f := range l.filters {
		for ky := range l.rows.size {
			w.Runs = append(w.Runs, kernel.Run{From: int32(f), To: int32(f + 1), Base: int32(ky * in.W * in.C)})
			w.EndRow()
		}
	}
	return w
}
