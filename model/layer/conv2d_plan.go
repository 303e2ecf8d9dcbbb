package layer

import "github.com/accord-fl/accord/internal/kernel"

// convBound is a convolution's plan: where its products start in memory. A
// product's rows are the positions of one row of the image where there are
// enough of them, or else the samples.
type convBound struct {
	*Conv2D
	weights
	input  Layout // as samples arrive
	framed Layout // with a border of zeros
	pre    Layout // before the pool
	out    Layout
	floor  float32 // of the activation
	byRows bool

	lines    []line
	forward  *kernel.Walk
	gradient *kernel.Walk // of the weights: over the positions
	sources  []int32      // where each position's window starts in the padded input
	runs     []poolRun

	// For the gradient of the input, unless the layer is first:
	back    *turned
	sparse  bool
	places  []int32        // sparse: where each filter's weights start
	reads   []int32        // sparse: positions that each cell's taps read
	spreads []spread       // dense by rows
	pixels  []*kernel.Walk // dense by samples: what reaches each pixel
}

// line is a run of weights that meet a run of the input: a row of the window,
// or a single tap where there are zeros between positions.
type line struct {
	row  int // first row of the kernel's matrix
	from int // where the input starts, from where the window does
}

// spread is the part of a dense input gradient that one tap brings to one row.
type spread struct {
	tap      *kernel.Walk
	from, to int // where it starts in the gradient and in the input's
	n        int // positions
}

// fewPositions is the number of positions in a row from which on a product's
// rows are positions: tiles of fewer rows do not keep the processor busy.
const fewPositions = 6

// Bind plans the products.
func (l *Conv2D) Bind(p Plan) Bound {
	z := Layout{l.before(), kernel.Pad(l.filters)}
	b := &convBound{
		Conv2D:  l,
		weights: weights{taps: l.rows.size * l.cols.size, channels: l.in.C, units: l.filters, wide: z.Stride},
		input:   p.In,
		framed:  Layout{Shape{l.rows.padded(), l.cols.padded(), l.in.C}, p.In.Stride},
		pre:     z,
		out:     padded(l.Out()),
		floor:   kernel.NoFloor,
		byRows:  l.cols.out >= fewPositions,
	}
	if l.relu {
		b.floor = 0
	}
	if l.pool != nil {
		b.runs = l.pool.runs(z.Stride)
	}
	b.planForward()
	b.planWeights()
	if p.First {
		return b
	}
	if b.sparse = !p.Dense && b.sparsePays(); b.sparse {
		b.planSparse()
	} else if b.back = b.panels(); b.byRows {
		b.planSpreads()
	} else {
		b.planPixels()
	}
	return b
}

func (b *convBound) Out() Layout { return b.out }

// Refresh copies a block of weights to where the gradient of the input wants it.
func (b *convBound) Refresh(w []float32, block Block) {
	if b.back != nil {
		b.back.refresh(w, block)
	}
}

// lineRows is the number of rows of the kernel's matrix in a line.
func (b *convBound) lineRows() int { return b.depth() / len(b.lines) }

func (b *convBound) planForward() {
	in := b.framed
	for ky := range b.rows.size {
		if in.Stride == in.C {
			b.lines = append(b.lines, line{ky * b.cols.size * in.C, ky * in.W * in.C})
			continue
		}
		for kx := range b.cols.size {
			b.lines = append(b.lines, line{(ky*b.cols.size + kx) * in.C, (ky*in.W + kx) * in.Stride})
		}
	}
	b.forward = new(kernel.Walk)
	for _, l := range b.lines {
		b.forward.Then(l.from, l.row*kernel.PanelWidth(b.wide))
	}
}

// planWeights lists the positions that a weight's gradient sums over.
func (b *convBound) planWeights() {
	b.gradient = new(kernel.Walk)
	for oy := range b.pre.H {
		for ox := range b.pre.W {
			at := (oy*b.rows.stride*b.framed.W + ox*b.cols.stride) * b.framed.Stride
			b.sources = append(b.sources, int32(at))
			if !b.byRows || ox == 0 {
				b.gradient.Then(at, (oy*b.pre.W+ox)*b.pre.Stride)
			}
		}
	}
}

// sparsePays tells whether so few elements of the gradient can be non-zero that
// it is worth to list them. The kernel wants windows without gaps.
func (b *convBound) sparsePays() bool {
	return b.pool != nil && 4*b.out.H*b.out.W <= b.pre.H*b.pre.W && b.input.Stride == b.input.C
}

func (b *convBound) planSparse() {
	b.back = b.windows()
	for f := range b.filters {
		b.places = append(b.places, int32(f*b.depth()))
	}
	for _, run := range b.pool.runs(1) {
		for cell := range run.Cells {
			for _, tap := range run.Taps {
				b.reads = append(b.reads, int32(run.from+cell*run.Step)+tap)
			}
		}
	}
}

func (b *convBound) planSpreads() {
	for ky := range b.rows.size {
		for kx := range b.cols.size {
			tap := new(kernel.Walk).Then(0, (ky*b.cols.size+kx)*b.back.tap)
			for oy := range b.pre.H {
				y := oy*b.rows.stride + ky - b.rows.before
				first, n := b.cols.inside(kx)
				if y < 0 || y >= b.input.H || n == 0 {
					continue
				}
				x := first*b.cols.stride + kx - b.cols.before
				b.spreads = append(b.spreads, spread{
					tap: tap, n: n,
					from: (oy*b.pre.W + first) * b.pre.Stride,
					to:   (y*b.input.W + x) * b.input.Stride,
				})
			}
		}
	}
}

func (b *convBound) planPixels() {
	for y := range b.input.H {
		for x := range b.input.W {
			w := new(kernel.Walk)
			for ky := range b.rows.size {
				oy, ok := b.rows.position(y, ky)
				if !ok {
					continue
				}
				for kx := range b.cols.size {
					if ox, ok := b.cols.position(x, kx); ok {
						w.Then((oy*b.pre.W+ox)*b.pre.Stride, (ky*b.cols.size+kx)*b.back.tap)
					}
				}
			}
			b.pixels = append(b.pixels, w)
		}
	}
}
