package kernel

import "slices"

// Lists are lists of terms, each with the same room. A term is a value v and the
// offset of the element of B that it multiplies.
type Lists struct {
	v      []float32
	offs   []int32
	counts []int32
	room   int
	reach  int // no offset is larger
}

// NewLists returns n empty lists, each with room for so many terms, none of which
// has an offset above reach.
func NewLists(n, room, reach int) *Lists {
	room += Lanes // for what is written and not counted
	return &Lists{v: make([]float32, n*room), offs: make([]int32, n*room), counts: make([]int32, n), room: room, reach: reach}
}

// MulSparse adds, for each list i, Σ v·B[off] over its terms to the window of C
// at element places[i]. Windows are rows × width elements, width a multiple of
// Lanes, with rows cRow apart in C, at least width, and bRow in B. Windows of C may
// overlap.
func MulSparse(c []float32, cRow int, places []int32, l *Lists, b []float32, bRow, rows, width int) {
	if len(places) != len(l.counts) || rows < 1 || width < 1 || cRow < width || bRow < 0 {
		panic(errShape)
	}
	if width%Lanes != 0 {
		panic(errLanes)
	}
	last := len(c) - (rows-1)*cRow - width
	for _, at := range places {
		if at < 0 || int(at) > last {
			panic(errShape)
		}
	}
	if len(b) < l.reach+(rows-1)*bRow+width {
		panic(errShape)
	}
	active.mulSparse(c, cRow, places, l, b, bRow, rows, width)
}

func mulSparsePortable(c []float32, cRow int, places []int32, l *Lists, b []float32, bRow, rows, width int) {
	for i, place := range places {
		begin, end := i*l.room, i*l.room+int(l.counts[i])
		if begin == end {
			continue
		}
		for r := range rows {
			out := c[int(place)+r*cRow:][:width]
			for j := 0; j < width; j += quad {
				sumTerms((*[quad]float32)(out[j:]), l.v[begin:end], l.offs[begin:end], &b[r*bRow+j])
			}
		}
	}
}

// sumTerms adds four columns of a list's sum to c. Four terms at once share the
// cost of the loop. It reads B through a pointer because bounds checks here cost
// a quarter of the speed; MulSparse has done them.
func sumTerms(c *[quad]float32, values []float32, offs []int32, b *float32) {
	c0, c1, c2, c3 := c[0], c[1], c[2], c[3]
	for len(values) >= 4 {
		v, o := (*[4]float32)(values), (*[4]int32)(offs)
		p0, p1, v0, v1 := four(b, int(o[0])), four(b, int(o[1])), v[0], v[1]
		p2, p3, v2, v3 := four(b, int(o[2])), four(b, int(o[3])), v[2], v[3]
		c0 += (float32(v0*p0[0]) + float32(v1*p1[0])) + (float32(v2*p2[0]) + float32(v3*p3[0]))
		c1 += (float32(v0*p0[1]) + float32(v1*p1[1])) + (float32(v2*p2[1]) + float32(v3*p3[1]))
		c2 += (float32(v0*p0[2]) + float32(v1*p1[2])) + (float32(v2*p2[2]) + float32(v3*p3[2]))
		c3 += (float32(v0*p0[3]) + float32(v1*p1[3])) + (float32(v2*p2[3]) + float32(v3*p3[3]))
		values, offs = values[4:], offs[4:]
	}
	for i, v := range values {
		p := four(b, int(offs[i]))
		c0 += float32(v * p[0])
		c1 += float32(v * p[1])
		c2 += float32(v * p[2])
		c3 += float32(v * p[3])
	}
	c[0], c[1], c[2], c[3] = c0, c1, c2, c3
}

// Collector sorts the live elements of a pooled gradient twice: by channel and
// by the position that each came from.
type Collector struct {
	ByChannel, ByPosition *Lists

	positions []int32 // of each cell's taps
	taps      int
	sources   []int32 // offset that a term in ByChannel carries, by position
	rows      []int32 // offset that a term in ByPosition carries, by channel

	// For assembly: sources by cell and tap, and where each element comes from,
	// as it lies in the gradient and, with the gradient, turned.
	tapSources    []int32
	trace, traceT []int32
	dyT           []float32
}

// NewCollector returns a collector for cells of so many taps; positions[cell·taps
// + t] is the position that tap t of a cell reads. Terms in ByChannel carry the
// offset sources[position], those in ByPosition rows[channel].
func NewCollector(positions []int32, taps int, sources, rows []int32) *Collector {
	cells := len(positions) / taps
	tapSources := make([]int32, 0, len(positions)+Lanes)
	for _, p := range positions {
		tapSources = append(tapSources, sources[p])
	}
	return &Collector{
		ByChannel:  NewLists(len(rows), cells, largest(sources)),
		ByPosition: NewLists(len(sources), len(rows)*perPosition(positions, len(sources)), largest(rows)),
		positions:  positions,
		taps:       taps,
		sources:    sources,
		rows:       append(slices.Clone(rows), make([]int32, Pad(len(rows))-len(rows))...)[:len(rows)],
		tapSources: tapSources[:cap(tapSources)],
	}
}

func largest(offsets []int32) int {
	top := int32(0)
	for _, v := range offsets {
		top = max(top, v)
	}
	return int(top)
}

// perPosition is the number of cells that read one position at most.
func perPosition(positions []int32, n int) int {
	readers := make([]int32, n)
	for _, p := range positions {
		readers[p]++
	}
	return largest(readers)
}

// Collect replaces the lists by the elements of dy, [cells, width], for which
// arg says which tap they belong to: a number below taps, as MaxPool writes, or
// Dead. Any other is a mistake that assembly does not notice. width is the number
// of channels, padded.
func (k *Collector) Collect(dy []float32, arg []uint8, width int) {
	cells := len(k.positions) / k.taps
	if width != Pad(len(k.rows)) || len(dy) != cells*width || len(arg) != len(dy) {
		panic(errShape)
	}
	clear(k.ByChannel.counts)
	clear(k.ByPosition.counts)
	active.collect(k, dy, arg, width)
}

// collectPortable has no branch on arg, which would be mispredicted half of the
// time: what is dead is written to a list's end and not counted.
func collectPortable(k *Collector, dy []float32, arg []uint8, width int) {
	channel, position := k.ByChannel, k.ByPosition
	for cell := range len(dy) / width {
		taps := k.positions[cell*k.taps:][:k.taps]
		d, args := dy[cell*width:][:len(k.rows)], arg[cell*width:][:len(k.rows)]
		for f, v := range d {
			t := int32(args[f])
			live := 1 - (t+1)>>8
			p := taps[t*live]
			n := channel.counts[f]
			at := f*channel.room + int(n)
			channel.v[at], channel.offs[at] = v, k.sources[p]
			channel.counts[f] = n + live
			n = position.counts[p]
			at = int(p)*position.room + int(n)
			position.v[at], position.offs[at] = v, k.rows[f]
			position.counts[p] = n + live
		}
	}
}
