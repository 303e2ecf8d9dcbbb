package kernel

// Term is a summand of a sparse product: V times a window of B that starts at
// element Off.
type Term struct {
	V   float32
	Off int32
}

// Lists are lists of terms, each with the same room.
type Lists struct {
	terms  []Term
	counts []int32
	room   int
	reach  int // no term starts above
}

// NewLists returns n empty lists, each with room for so many terms, none of
// which starts above element reach of B.
func NewLists(n, room, reach int) *Lists {
	room++ // where Collect puts what it drops
	return &Lists{terms: make([]Term, n*room), counts: make([]int32, n), room: room, reach: reach}
}

// MulSparse adds, for each list i, Σ V·B[Off] over its terms to the window of C
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
		terms := l.terms[i*l.room:][:l.counts[i]]
		if len(terms) == 0 {
			continue
		}
		for r := range rows {
			out := c[int(place)+r*cRow:][:width]
			for j := 0; j < width; j += quad {
				sumTerms((*[quad]float32)(out[j:]), terms, &b[r*bRow+j])
			}
		}
	}
}

// sumTerms adds four columns of a list's sum to c. Four terms at once share the
// cost of the loop. It reads B through a pointer because bounds checks here cost
// a quarter of the speed; MulSparse has done them.
func sumTerms(c *[quad]float32, terms []Term, b *float32) {
	c0, c1, c2, c3 := c[0], c[1], c[2], c[3]
	for ; len(terms) >= 4; terms = terms[4:] {
		t := (*[4]Term)(terms)
		p0, p1, v0, v1 := four(b, int(t[0].Off)), four(b, int(t[1].Off)), t[0].V, t[1].V
		p2, p3, v2, v3 := four(b, int(t[2].Off)), four(b, int(t[3].Off)), t[2].V, t[3].V
		c0 += (float32(v0*p0[0]) + float32(v1*p1[0])) + (float32(v2*p2[0]) + float32(v3*p3[0]))
		c1 += (float32(v0*p0[1]) + float32(v1*p1[1])) + (float32(v2*p2[1]) + float32(v3*p3[1]))
		c2 += (float32(v0*p0[2]) + float32(v1*p1[2])) + (float32(v2*p2[2]) + float32(v3*p3[2]))
		c3 += (float32(v0*p0[3]) + float32(v1*p1[3])) + (float32(v2*p2[3]) + float32(v3*p3[3]))
	}
	for _, t := range terms {
		p, v := four(b, int(t.Off)), t.V
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

	channels  int
	positions []int32 // of each cell's taps
	taps      int
	sources   []int32 // offset that a term in ByChannel carries, by position
	rows      []int32 // offset that a term in ByPosition carries, by channel
}

// NewCollector returns a collector for cells of so many taps; positions[cell·taps
// + t] is the position that tap t of a cell reads. Terms in ByChannel carry the
// offset sources[position], those in ByPosition rows[channel].
func NewCollector(positions []int32, taps int, sources, rows []int32) *Collector {
	cells := len(positions) / taps
	return &Collector{
		ByChannel:  NewLists(len(rows), cells, largest(sources)),
		ByPosition: NewLists(len(sources), len(rows)*perPosition(positions, len(sources)), largest(rows)),
		channels:   len(rows),
		positions:  positions,
		taps:       taps,
		sources:    sources,
		rows:       rows,
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
// arg says which tap they belong to. It has no branch on arg, which would be
// mispredicted half of the time: what is dead is written to a list's end and not
// counted.
func (k *Collector) Collect(dy []float32, arg []uint8, width int) {
	cells := len(k.positions) / k.taps
	if width < k.channels || len(dy) != cells*width || len(arg) != len(dy) {
		panic(errShape)
	}
	channel, position := k.ByChannel, k.ByPosition
	clear(channel.counts)
	clear(position.counts)
	for cell := range cells {
		taps := k.positions[cell*k.taps:][:k.taps]
		d := dy[cell*width:][:k.channels]
		args := arg[cell*width:][:k.channels]
		for f, v := range d {
			t := int32(args[f])
			live := 1 - (t+1)>>8
			p := taps[t*live]
			n := channel.counts[f]
			channel.terms[f*channel.room+int(n)] = Term{v, k.sources[p]}
			channel.counts[f] = n + live
			n = position.counts[p]
			position.terms[int(p)*position.room+int(n)] = Term{v, k.rows[f]}
			position.counts[p] = n + live
		}
	}
}
