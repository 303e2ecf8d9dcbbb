package layer

import "github.com/accord-fl/accord/internal/kernel"

// columns is a copy of the last columns of a right operand, each in one piece: those
// that would fill a vector of their own with little but zeros.
type columns struct {
	data  []float32
	first int // number of the first
	count int
	depth int // elements of each
}

// newColumns cuts off what n columns have beyond whole vectors, where they are
// multiplied in stretches of k and there are many vectors' work to be saved.
func newColumns(n, k, depth int) columns {
	rest := n % kernel.Lanes
	// A stretch costs a column ⌈k/Lanes⌉ steps, which read twice as much as the
	// k of a product with a vector of columns.
	if n < kernel.Lanes || 2*rest*kernel.Pad(k) > kernel.Lanes*k {
		rest = 0
	}
	return columns{data: make([]float32, rest*depth), first: n - rest, count: rest, depth: depth}
}

// vectors is how many columns are left, zeros of the last vector included.
func (c *columns) vectors() int {
	if c.count == 0 {
		return kernel.Pad(c.first)
	}
	return c.first
}

// mul multiplies with each of the columns, and puts the results where c goes on
// after the vectors.
func (c *columns) mul(to []float32, row, m, k int, a []float32, aRow int, w *kernel.Walk, p *kernel.Places, add bool) {
	for i := range c.count {
		kernel.MulColumn(to[c.first+i:], row, m, k, a, aRow, c.data[i*c.depth:][:c.depth], w, p, add)
	}
}

// copyUnits takes over a block of the kernel, whose columns are units.
func (c *columns) copyUnits(g *weights, w []float32, b Block) {
	panel, first, end := g.rowsOf(b)
	from := max(c.first, panel*g.kernel(w).Width)
	if n := min(g.units, (panel+1)*g.kernel(w).Width) - from; c.count > 0 && n > 0 {
		m := g.kernel(w).From(first)
		kernel.Transpose(c.data[(from-c.first)*c.depth+first:], c.depth, m.Data[panel*m.Panel+from%m.Width:], m.Row, end-first, n)
	}
}

// copyChannels takes over a block of the kernel turned round, whose columns are
// channels and whose rows are taps and units.
func (c *columns) copyChannels(g *weights, w []float32, b Block) {
	if c.count == 0 {
		return
	}
	m := g.kernel(w)
	panel, first, end := g.rowsOf(b)
	units := min(m.Width, g.units-panel*m.Width)
	for i := range c.count {
		row := c.first + i
		for tap := range g.taps {
			if row >= first && row < end {
				copy(c.data[i*c.depth+tap*g.units+panel*m.Width:], w[panel*m.Panel+row*m.Row:][:units])
			}
			row += g.channels
		}
	}
}
