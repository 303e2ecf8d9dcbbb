package layer

import "github.com/accord-fl/accord/internal/kernel"

// weights is how a convolution keeps its weights: the kernel in panels over the
// filters, [tap, channel] × units, and after it the bias.
type weights struct {
	taps, channels, units int
	wide                  int // units with padding
}

func (g *weights) depth() int { return g.taps * g.channels }

func (g *weights) Size() int { return (g.depth() + 1) * g.wide }

func (g *weights) kernel(w []float32) kernel.Matrix {
	return kernel.Panels(w[:g.depth()*g.wide], g.depth(), g.wide)
}

func (g *weights) bias(w []float32) []float32 { return w[g.depth()*g.wide:][:g.wide] }

func (g *weights) Import(w, flat []float32) {
	size := g.depth() * g.units
	g.kernel(w).Import(flat[:size], g.depth(), g.units)
	copy(g.bias(w), flat[size:])
}

func (g *weights) Export(flat, w []float32) {
	size := g.depth() * g.units
	g.kernel(w).Export(flat[:size], g.depth(), g.units)
	copy(flat[size:], g.bias(w))
}

// blockRows is the number of rows of a panel in a block: few enough to spread
// well over workers.
const blockRows = 64

func (g *weights) Blocks() []Block {
	width := kernel.PanelWidth(g.wide)
	var blocks []Block
	for panel := 0; panel < g.depth()*g.wide; panel += g.depth() * width {
		for row := 0; row < g.depth(); row += blockRows {
			blocks = append(blocks, Block{panel + row*width, panel + min(row+blockRows, g.depth())*width})
		}
	}
	return append(blocks, Block{g.depth() * g.wide, g.Size()})
}

// ofKernel tells blocks of the kernel from that of the bias.
func (g *weights) ofKernel(b Block) bool { return b.End <= g.depth()*g.wide }

// rowsOf is what a block has of the kernel: rows [first, end) of a panel.
func (g *weights) rowsOf(b Block) (panel, first, end int) {
	row := kernel.PanelWidth(g.wide)
	size := g.depth() * row
	return b.Begin / size, b.Begin % size / row, (b.End-1)%size/row + 1
}

// turned is a copy of the kernel with channels as columns: weights of
// unit u and tap t for channel c lie at t·tap + u·row + c/cut·next + c%cut.
type turned struct {
	*weights
	data []float32
	row  int // distance of units
	tap  int // distance of taps
	cut  int // channels in a panel
	next int // distance of panels
}

// matrix is the operand as made by panels.
func (t *turned) matrix() kernel.Matrix {
	return kernel.Matrix{Data: t.data, Row: t.row, Width: t.cut, Panel: t.next}
}

// panels is the operand of a dense gradient: panels over the channels, [tap, unit] × channels.
func (g *weights) panels() *turned {
	rows, n := g.taps*g.units, kernel.Pad(g.channels)
	data := kernel.Alloc(rows * n)
	m := kernel.Panels(data, rows, n)
	return &turned{weights: g, data: data, row: m.Row, tap: g.units * m.Row, cut: m.Width, next: m.Panel}
}

// windows is the operand of a sparse gradient: [unit, tap, channel].
func (g *weights) windows() *turned {
	return &turned{
		weights: g, data: kernel.Alloc(g.depth() * g.units),
		row: g.depth(), tap: g.channels, cut: g.channels, next: 0,
	}
}

// refresh copies the weights of a block of the kernel.
func (t *turned) refresh(w []float32, b Block) {
	m := t.kernel(w)
	panel, first, end := t.rowsOf(b)
	units := min(m.Width, t.units-panel*m.Width)
	for row := first; row < end; {
		tap, c := row/t.channels, row%t.channels
		rows := min(end-row, t.channels-c, t.cut-c%t.cut)
		to := tap*t.tap + panel*m.Width*t.row + c/t.cut*t.next + c%t.cut
		kernel.Transpose(t.data[to:], t.row, w[b.Begin+(row-first)*m.Row:], m.Row, rows, units)
		row += rows
	}
}
