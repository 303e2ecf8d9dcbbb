package layer

import (
	"fmt"
	"math"

	"github.com/accord-fl/accord/internal/kernel"
)

// convBound is a convolution's plan: where its products start in memory. A
// product's rows are the positions of one row of the image where there are
// enough of them, or else the samples.
type convBound struct {
	*Conv2D
	weights
	input  Layout // as samples arrive
	framed Layout // with a border of zeros, and none between the positions of a line
	pre    Layout // before the pool
	out    Layout
	floor  float32 // of the activation
	byRows bool
	// byFilters tells that the kernel's gradient is computed with its filters as
	// rows, and then turned: its columns are those of a line of the window.
	byFilters bool

	forward *kernel.Walk   // over the lines of a window
	tail    columns        // the last filters; by rows
	along   *kernel.Walk   // as forward, in one of tail
	lines   *kernel.Places // in the input and in the weights
	sources []int32        // where each position's window starts in the framed input
	ahead   []band         // what Forward holds at a time,
	behind  []band         // and Backward

	// For the gradient of the input, unless the layer is first:
	back     *turned
	sparse   bool
	places   []int32        // sparse: where each filter's weights start
	reads    []int32        // sparse: positions that each cell's taps read
	spreads  []spread       // dense by rows
	backTail columns        // dense by rows: the last channels
	pixels   []*kernel.Walk // dense by samples: what reaches each pixel
}

// band is the rows of the image, or all of it, that are held at a time before the
// pool.
type band struct {
	size     int            // elements of a sample
	starts   *kernel.Places // of rows, or of positions, in the input and in the band
	gradient *kernel.Walk   // over the same; by filters in the band and in the input
	runs     []poolRun
}

// spread is the part of a dense input gradient that one column of taps brings to
// rows of the input which it covers alike.
type spread struct {
	taps  *kernel.Walk   // rows of the gradient that meet in one of the input, and their taps
	along *kernel.Walk   // the same in one of backTail
	rows  *kernel.Places // where the gradient and the input begin
	n     int            // positions in a row
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
		framed:  l.frame(p.In),
		pre:     z,
		out:     padded(l.Out()),
		floor:   kernel.NoFloor,
		byRows:  l.cols.out >= fewPositions,
	}
	if l.relu {
		b.floor = 0
	}
	b.byFilters = b.byRows && b.framed != b.input && b.filtersPay()
	if b.byRows {
		b.tail = newColumns(b.units, b.lineRows(), b.depth())
	}
	b.planLines()
	b.planSources()
	if !b.byRows || l.pool == nil || l.pool.rows.stride < l.pool.rows.size {
		b.ahead = b.bands(math.MaxInt)
		b.behind = b.ahead
	} else {
		b.ahead = b.bands(bandSize)
		b.behind = b.ahead
		if !p.First { // the gradient of the input needs all of a sample
			b.behind = b.bands(math.MaxInt)
		}
	}
	if p.First {
		return b
	}
	if b.sparse = !p.Dense && b.sparsePays(); b.sparse {
		b.planSparse()
	} else if b.back = b.panels(); b.byRows {
		b.backTail = newColumns(b.channels, b.units, b.taps*b.units)
		b.planSpreads()
	} else {
		b.planPixels()
	}
	return b
}

func (b *convBound) Out() Layout { return b.out }

// Refresh copies a block of weights to where columns, and the gradient of the input,
// want it.
func (b *convBound) Refresh(w []float32, block Block) {
	if !b.ofKernel(block) {
		return
	}
	b.tail.copyUnits(&b.weights, w, block)
	if b.back != nil {
		b.back.refresh(w, block)
	}
	b.backTail.copyChannels(&b.weights, w, block)
}

func (b *convBound) planSources() {
	for oy := range b.pre.H {
		for ox := range b.pre.W {
			at := (oy*b.rows.stride*b.framed.W + ox*b.cols.stride) * b.framed.Stride
			b.sources = append(b.sources, int32(at))
		}
	}
}

// bandSize is the number of elements in a band that stay in the nearest cache.
const bandSize = 4 << 10

// bands cuts the image into bands of up to size elements, but at least what a row
// of pooled cells reads.
func (b *convBound) bands(size int) []band {
	row := b.pre.W * b.pre.Stride
	if b.pool == nil {
		return []band{b.band(0, b.pre.H, nil)}
	}
	var bands []band
	runs := b.pool.runs(b.pre.Stride)
	for begin := 0; begin < len(runs); {
		first := runs[begin].from / row
		end, last := begin+1, first+b.pool.rows.size
		for end < len(runs) && (runs[end].from/row+b.pool.rows.size-first)*row <= size {
			last = runs[end].from/row + b.pool.rows.size
			end++
		}
		bands = append(bands, b.band(first, last, runs[begin:end]))
		begin = end
	}
	return bands
}

// band is rows [first, end) of the image.
func (b *convBound) band(first, end int, runs []poolRun) band {
	n := band{size: (end - first) * b.pre.W * b.pre.Stride, starts: new(kernel.Places), gradient: new(kernel.Walk)}
	step := 1
	if b.byRows {
		step = b.pre.W
	}
	for position := first * b.pre.W; position < end*b.pre.W; position += step {
		to := (position - first*b.pre.W) * b.pre.Stride
		n.starts.Then(int(b.sources[position]), to)
		if b.byFilters {
			n.gradient.Then(to, int(b.sources[position]))
		} else {
			n.gradient.Then(int(b.sources[position]), to)
		}
	}
	for _, run := range runs {
		run.from -= first * b.pre.W * b.pre.Stride
		n.runs = append(n.runs, run)
	}
	return n
}

// largest is the number of elements of the largest band.
func largest(bands []band) int {
	size := 0
	for _, n := range bands {
		size = max(size, n.size)
	}
	return size
}

// sparsePays reports whether so few elements of the gradient can be non-zero that
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
	for kx := range b.cols.size {
		first, n := b.cols.inside(kx)
		if n == 0 {
			continue
		}
		x := first*b.cols.stride + kx - b.cols.before
		alike := map[string]int{} // number of the spread with the same taps
		for y := range b.input.H {
			taps, along, from := new(kernel.Walk), new(kernel.Walk), 0
			for ky := b.rows.size - 1; ky >= 0; ky-- {
				oy, ok := b.rows.position(y, ky)
				if !ok {
					continue
				}
				at := (oy*b.pre.W + first) * b.pre.Stride
				if taps.Len() == 0 {
					from = at // the lowest, since oy grows as ky falls
				}
				tap := ky*b.cols.size + kx
				taps.Then(at-from, tap*b.back.tap)
				along.Then(at-from, tap*b.units)
			}
			if taps.Len() == 0 {
				continue
			}
			key := fmt.Sprint(*taps)
			i, ok := alike[key]
			if !ok {
				i = len(b.spreads)
				alike[key] = i
				b.spreads = append(b.spreads, spread{taps: taps, along: along, rows: new(kernel.Places), n: n})
			}
			b.spreads[i].rows.Then(from, (y*b.input.W+x)*b.input.Stride)
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
