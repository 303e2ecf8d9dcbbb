package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// tolerance bounds |got − want| / Σ|products| for sums of up to a few thousand
// float32 products.
const tolerance = 1e-6

// canary fills memory around and between what a kernel may write.
const canary = -12345

// values draws n floats of which about half are zero.
func values(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		if r.IntN(2) == 0 {
			v[i] = float32(r.NormFloat64())
		}
	}
	return v
}

// guarded returns n canaries for rows of width n2, and a check that nothing
// outside [rows, width] with distance ldc was written.
func guarded(t *rapid.T, rows, width, ldc int) (c []float32, check func()) {
	const margin = 8
	all := make([]float32, margin+rows*ldc+margin)
	for i := range all {
		all[i] = canary
	}
	return all[margin : margin+rows*ldc], func() {
		for i, v := range all {
			row, col := (i-margin)/ldc, (i-margin)%ldc
			if inside := i >= margin && row < rows && col < width; !inside && v != canary {
				t.Fatalf("element %d, outside of %d×%d with rows %d apart, became %v", i-margin, rows, width, ldc, v)
			}
		}
	}
}

// sum is a float64 dot product with the size of its terms.
type sum struct{ value, size float64 }

func (s *sum) add(a, b float32) {
	s.value += float64(a) * float64(b)
	s.size += math.Abs(float64(a) * float64(b))
}

func (s *sum) compare(t *rapid.T, what string, i, j int, got float32) {
	if miss := math.Abs(float64(got) - s.value); !(miss <= tolerance*s.size+1e-30) {
		t.Fatalf("%s[%d][%d]: got %v, want %v", what, i, j, got, s.value)
	}
}

func TestGEMMMatchesFloat64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
		m, n, k := draw("m", 1, 9), draw("n", 1, 19), draw("k", 1, 20)
		segments := draw("segments", 1, 4)
		ldc := n + draw("gap", 0, 3)
		col, row := draw("col", 1, 3), draw("row", 0, 30)
		add := rapid.Bool().Draw(t, "add")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))

		depth := k + draw("more rows", 0, 5)
		src := values(r, depth*n)
		b := NewPanels(depth, n)
		b.Pack(0, depth, src, n, 1)
		segs := make([]Segment, segments)
		for i := range segs {
			segs[i] = Segment{A: r.IntN(50), B: r.IntN(depth - k + 1)}
		}
		a := Strided{Data: values(r, 50+m*row+k*col), Row: row, Col: col}
		c, check := guarded(t, m, n, ldc)
		GEMM(c, ldc, m, k, a, b, segs, add)
		check()
		for i := range m {
			for j := range n {
				var want sum
				if add {
					want.add(canary, 1)
				}
				for _, s := range segs {
					for l := range k {
						want.add(a.Data[s.A+i*row+l*col], src[(s.B+l)*n+j])
					}
				}
				want.compare(t, "C", i, j, c[i*ldc+j])
			}
		}
	})
}

// A walk over random runs of a compressed operand, packed.
func TestSparseMulMatchesFloat64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
		cells, width, n := draw("cells", 1, 12), draw("width", 1, 9), draw("n", 1, 19)
		rows, ldc := draw("rows", 1, 40), n+draw("gap", 0, 3)
		add := rapid.Bool().Draw(t, "add")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))

		x, src := values(r, cells*width), values(r, cells*width*n)
		b := NewPanels(cells*width, n)
		b.Pack(0, cells*width, src, n, 1)
		s := NewSparse(cells, cells*width)
		s.Compress(x, width)
		var w Walk
		for range rows {
			for range r.IntN(4) {
				from := r.IntN(cells)
				to := from + 1 + r.IntN(cells-from)
				// The run's first row of B becomes a random one that fits.
				row := r.IntN((cells-(to-from))*width + 1)
				w.Runs = append(w.Runs, Run{int32(from), int32(to), RowOffset(row - from*width)})
			}
			w.EndRow()
		}
		c, check := guarded(t, rows, n, ldc)
		s.Mul(c, ldc, w, b, add)
		check()
		for i := range rows {
			for j := range n {
				var want sum
				if add {
					want.add(canary, 1)
				}
				for _, run := range w.Runs[w.Rows[i]:w.Rows[i+1]] {
					for e := int(run.From) * width; e < int(run.To)*width; e++ {
						want.add(x[e], src[(e+int(run.Base)/Lanes)*n+j])
					}
				}
				want.compare(t, "C", i, j, c[i*ldc+j])
			}
		}
	})
}

// Lists filled term by term, over an operand that is not packed and ends right
// after its last element.
func TestSparseMulRawMatchesFloat64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
		cells, n := draw("cells", 1, 6), draw("n", 1, 19)
		terms := draw("terms", 0, 60)
		add := rapid.Bool().Draw(t, "add")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))

		b := values(r, n+100)
		s := NewSparse(cells, terms)
		cell, off, v := make([]int, terms), make([]int32, terms), values(r, terms)
		s.Clear()
		for i := range terms {
			cell[i], off[i] = r.IntN(cells), int32(r.IntN(101))
			s.Count(cell[i])
		}
		s.Arrange()
		for i := range terms {
			s.Append(cell[i], off[i], v[i])
		}
		var w Walk
		for i := range cells {
			w.Runs = append(w.Runs, Run{int32(i), int32(i + 1), 0})
			w.EndRow()
		}
		c, check := guarded(t, cells, n, n)
		s.MulRaw(c, n, n, w, b, add)
		check()
		for i := range cells {
			for j := range n {
				var want sum
				if add {
					want.add(canary, 1)
				}
				for e := range terms {
					if cell[e] == i {
						want.add(v[e], b[int(off[e])+j])
					}
				}
				want.compare(t, "C", i, j, c[i*n+j])
			}
		}
	})
}

func TestProductsRefuseOperandsThatAreTooShort(t *testing.T) {
	b := NewPanels(4, 5)
	whole := []Segment{{0, 0}}
	sparse := NewSparse(1, 4)
	sparse.Compress([]float32{1, 1, 1, 1}, 4)
	walk := func(base int32) Walk {
		return Walk{Rows: []int32{0, 1}, Runs: []Run{{0, 1, base}}}
	}
	for name, call := range map[string]func(){
		"C too short": func() { GEMM(make([]float32, 9), 5, 2, 4, Strided{make([]float32, 8), 4, 1}, b, whole, false) },
		"A too short": func() { GEMM(make([]float32, 10), 5, 2, 4, Strided{make([]float32, 7), 4, 1}, b, whole, false) },
		"segment beyond A": func() {
			GEMM(make([]float32, 5), 5, 1, 4, Strided{make([]float32, 4), 4, 1}, b, []Segment{{1, 0}}, false)
		},
		"segment beyond B": func() {
			GEMM(make([]float32, 5), 5, 1, 4, Strided{make([]float32, 4), 4, 1}, b, []Segment{{0, 1}}, false)
		},
		"term beyond B":   func() { sparse.Mul(make([]float32, 5), 5, walk(RowOffset(1)), b, false) },
		"term before B":   func() { sparse.Mul(make([]float32, 5), 5, walk(RowOffset(-1)), b, false) },
		"raw term beyond": func() { sparse.MulRaw(make([]float32, 5), 5, 5, walk(0), make([]float32, 16), false) },
		"pack beyond B":   func() { b.Pack(2, 3, make([]float32, 15), 5, 1) },
		"compress":        func() { sparse.Compress(make([]float32, 5), 4) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}
