package layer

import "github.com/accord-fl/accord/internal/kernel"

// frame is how the convolution reads its input. Zeros between the positions of a
// line would cut it into taps.
func (l *Conv2D) frame(in Layout) Layout {
	f := Layout{l.Framed(), in.Stride}
	if l.cols.size > 1 {
		f.Stride = f.C
	}
	return f
}

// lineRows is the number of rows of the kernel's matrix in a line, a row of the
// window, which lies together in the framed input.
func (b *convBound) lineRows() int { return b.cols.size * b.channels }

// lineWide is the number of columns that a line takes where it is a row.
func (b *convBound) lineWide() int { return kernel.Pad(b.lineRows()) }

// filtersPay reports whether a fifth or more of the work for the kernel's gradient
// is saved when zeros fill up lines instead of filters. To turn it takes time, too.
func (b *convBound) filtersPay() bool {
	return 5*b.units*b.lineWide() <= 4*b.lineRows()*b.wide
}

func (b *convBound) planLines() {
	b.forward, b.along, b.lines = new(kernel.Walk), new(kernel.Walk), new(kernel.Places)
	for row := 0; row < b.depth(); row += b.lineRows() {
		from := row / b.lineRows() * b.framed.W * b.framed.Stride
		to := row * kernel.PanelWidth(b.wide)
		b.forward.Then(from, to)
		b.along.Then(from, row)
		b.lines.Then(from, to)
	}
}
