package kernel

import (
	"math"
	"slices"
)

// term is one non-zero of a sparse operand: its value, and the offset of the
// row of B that it multiplies.
type term struct {
	off int32
	v   float32
}

// Sparse is a left operand of which only the non-zeros are kept, as lists of
// terms, one list a cell, one after another in memory.
type Sparse struct {
	terms  []term
	lo, hi []int32 // cell i is terms[lo[i]:hi[i]]

	// A block of rows under way in mul: row i has flat[ends[i-1]:ends[i]].
	flat []term
	ends []int32
}

// NewSparse returns an operand of so many cells with room for so many terms.
func NewSparse(cells, terms int) *Sparse {
	return &Sparse{terms: make([]term, terms), lo: make([]int32, cells), hi: make([]int32, cells)}
}

// Compress keeps the non-zeros of x: cell i is x[i·width : (i+1)·width], and
// element k of x multiplies row k of a packed operand. It returns how many
// there are.
func (s *Sparse) Compress(x []float32, width int) int {
	if len(x) != len(s.lo)*width || len(x) > len(s.terms) {
		panic(errShape)
	}
	n, off := 0, int32(0)
	for cell := range s.lo {
		s.lo[cell] = int32(n)
		for _, v := range x[cell*width:][:width] {
			s.terms[n] = term{off, v}
			n += nonZero(v)
			off += Lanes
		}
		s.hi[cell] = int32(n)
	}
	return n
}

// nonZero is 1 for every value but ±0, without a branch that would be
// mispredicted half of the time.
func nonZero(v float32) int {
	b := math.Float32bits(v) << 1
	return int((b | -b) >> 31)
}

// Clear begins a filling in any order of cells: Clear, then Count for every
// term, then Arrange, then Append every term.
func (s *Sparse) Clear() { clear(s.hi) }

// Count announces one term of a cell.
func (s *Sparse) Count(cell int) { s.hi[cell]++ }

// Arrange makes room for the terms that were counted.
func (s *Sparse) Arrange() {
	sum := int32(0)
	for i, n := range s.hi {
		s.lo[i], s.hi[i] = sum, sum
		sum += n
	}
}

// Append adds a term to a cell: v times the elements of B from off on.
func (s *Sparse) Append(cell int, off int32, v float32) {
	end := s.hi[cell]
	s.terms[end] = term{off, v}
	s.hi[cell] = end + 1
}

// Run is a stretch of cells [From, To), not empty, which one row of a sparse
// product visits; Base is added to the offset of each of their terms.
type Run struct{ From, To, Base int32 }

// Walk lists the runs of every row of a sparse product: row i has
// Runs[Rows[i]:Rows[i+1]].
type Walk struct {
	Rows []int32
	Runs []Run
}

// EndRow closes the current row.
func (w *Walk) EndRow() {
	if len(w.Rows) == 0 {
		w.Rows = append(w.Rows, 0)
	}
	w.Rows = append(w.Rows, int32(len(w.Runs)))
}

// Mul computes, for every row i of the walk, C_i (+)= Σ v·B_k over the terms
// (v, k) of its runs. Offsets and bases count as RowOffset does. Rows of C are
// ldc apart; with add it adds to them, otherwise it overwrites them.
func (s *Sparse) Mul(c []float32, ldc int, w Walk, b Panels, add bool) {
	s.mul(c, ldc, b.N, w, b.data, b.K*Lanes, add)
}

// MulRaw is Mul for an operand that is not packed: a term (v, off) contributes
// v·b[off : off+n].
func (s *Sparse) MulRaw(c []float32, ldc, n int, w Walk, b []float32, add bool) {
	s.mul(c, ldc, n, w, b, Lanes, add)
}

// blockTerms is about how many terms are computed together: few enough to stay
// in the nearest cache beside a panel.
const blockTerms = 2048

// mul works on blocks of rows, whose terms it first lays out one after another
// with their bases added, and in a block panel by panel, so that both stay in the
// cache.
func (s *Sparse) mul(c []float32, ldc, n int, w Walk, b []float32, step int, add bool) {
	rows := len(w.Rows) - 1
	if rows < 1 || n < 1 || ldc < 0 || len(c) < (rows-1)*ldc+n {
		panic(errShape)
	}
	whole, rest := n/Lanes, n%Lanes
	reach := max(0, whole-1)*step + Lanes
	if rest > 0 {
		reach = whole*step + rest
	}
	if len(b) < reach {
		panic(errShape)
	}
	for first := 0; first < rows; {
		end := s.flatten(w, first, len(b)-reach)
		out := c[first*ldc:]
		for j := range whole {
			s.mulPanel(out[j*Lanes:], ldc, &b[j*step], add)
		}
		if rest > 0 {
			s.mulRest(out[whole*Lanes:], ldc, rest, b[whole*step:], add)
		}
		first = end
	}
}

// flatten lays out the terms of the rows from first on until there are enough
// for a block, and returns the row after the last. It makes sure that every term
// starts in [0, last] of B.
func (s *Sparse) flatten(w Walk, first, last int) int {
	s.flat, s.ends = s.flat[:0], s.ends[:0]
	row := first
	for ; row < len(w.Rows)-1 && len(s.flat) < blockTerms; row++ {
		for _, r := range w.Runs[w.Rows[row]:w.Rows[row+1]] {
			ts := s.terms[s.lo[r.From]:s.hi[r.To-1]]
			n := len(s.flat)
			s.flat = slices.Grow(s.flat, len(ts))[:n+len(ts)]
			to := s.flat[n:][:len(ts)]
			for i, t := range ts {
				off := t.off + r.Base
				if int(uint32(off)) > last {
					panic(errShape)
				}
				to[i] = term{off, t.v}
			}
		}
		s.ends = append(s.ends, int32(len(s.flat)))
	}
	return row
}

// mulPanel is mul for one block and the panel that starts at b. Four terms at
// once share the cost of the loop, and four columns are as many as the compiler
// keeps in registers. It reads B through a pointer because bounds checks here cost
// a quarter of the speed; flatten has done them.
func (s *Sparse) mulPanel(c []float32, ldc int, b *float32, add bool) {
	begin := int32(0)
	for i, end := range s.ends {
		ts := s.flat[begin:end]
		begin = end
		out := (*[Lanes]float32)(c[i*ldc:])
		var c0, c1, c2, c3 float32
		if add {
			c0, c1, c2, c3 = out[0], out[1], out[2], out[3]
		}
		for ; len(ts) >= 4; ts = ts[4:] {
			t := (*[4]term)(ts)
			p0, p1, v0, v1 := lanes(b, int(t[0].off)), lanes(b, int(t[1].off)), t[0].v, t[1].v
			p2, p3, v2, v3 := lanes(b, int(t[2].off)), lanes(b, int(t[3].off)), t[2].v, t[3].v
			c0 += (float32(v0*p0[0]) + float32(v1*p1[0])) + (float32(v2*p2[0]) + float32(v3*p3[0]))
			c1 += (float32(v0*p0[1]) + float32(v1*p1[1])) + (float32(v2*p2[1]) + float32(v3*p3[1]))
			c2 += (float32(v0*p0[2]) + float32(v1*p1[2])) + (float32(v2*p2[2]) + float32(v3*p3[2]))
			c3 += (float32(v0*p0[3]) + float32(v1*p1[3])) + (float32(v2*p2[3]) + float32(v3*p3[3]))
		}
		for _, t := range ts {
			p, v := lanes(b, int(t.off)), t.v
			c0 += float32(v * p[0])
			c1 += float32(v * p[1])
			c2 += float32(v * p[2])
			c3 += float32(v * p[3])
		}
		out[0], out[1], out[2], out[3] = c0, c1, c2, c3
	}
}

// mulRest is mul for one block and the last n < Lanes columns.
func (s *Sparse) mulRest(c []float32, ldc, n int, b []float32, add bool) {
	begin := int32(0)
	for i, end := range s.ends {
		var sum [Lanes]float32
		out := c[i*ldc:][:n]
		if add {
			copy(sum[:], out)
		}
		for _, t := range s.flat[begin:end] {
			for j, v := range b[t.off:][:n] {
				sum[j] += float32(t.v * v)
			}
		}
		begin = end
		copy(out, sum[:])
	}
}

// SparsePays tells whether a product that visits only the given number of
// non-zeros among so many elements is faster than a dense one.
func SparsePays(nonZeros, elements int) bool { return nonZeros*6 < elements*5 }
