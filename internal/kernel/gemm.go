package kernel

import "unsafe"

// Segment is one stretch of a product: where it starts in A, and the row of B
// that meets it.
type Segment struct{ A, B int }

// Strided is a left operand A: element (i, k) of segment s lies at
// s.A + i·Row + k·Col.
type Strided struct {
	Data     []float32
	Row, Col int
}

// GEMM computes C (+)= Σ_s A_s·B_s, where A_s is m×k, B_s is rows
// [s.B, s.B+k) of b, and C is m×b.N with rows ldc apart. With add it adds to C,
// otherwise it overwrites it.
func GEMM(c []float32, ldc, m, k int, a Strided, b Panels, segments []Segment, add bool) {
	if m == 0 || k == 0 || b.N == 0 || len(segments) == 0 {
		panic(errShape)
	}
	checkGEMM(c, ldc, m, k, a, b, segments)
	for j := 0; j < b.N; j += Lanes {
		panel := b.data[j*b.K:][:b.K*Lanes]
		width := min(Lanes, b.N-j)
		for i := range m {
			var t [Lanes]float32
			out := c[i*ldc+j:][:width]
			if add {
				copy(t[:], out)
			}
			gemmTile(&t, k, &a.Data[0], i*a.Row, a.Col, &panel[0], segments)
			copy(out, t[:])
		}
	}
}

// checkGEMM makes sure that gemmTile stays inside its operands.
func checkGEMM(c []float32, ldc, m, k int, a Strided, b Panels, segments []Segment) {
	if ldc < 0 || len(c) < (m-1)*ldc+b.N || a.Row < 0 || a.Col < 0 {
		panic(errShape)
	}
	reach := (m-1)*a.Row + (k-1)*a.Col
	for _, s := range segments {
		if s.A < 0 || s.A+reach >= len(a.Data) || s.B < 0 || s.B+k > b.K {
			panic(errShape)
		}
	}
}

// gemmTile adds one row's product with one panel to t. Two steps of k at once
// keep all values in registers; a wider tile makes the compiler spill. It runs
// on pointers because bounds checks here cost a quarter of the speed; checkGEMM
// has done them for the whole call.
func gemmTile(t *[Lanes]float32, k int, a *float32, row, col int, panel *float32, segments []Segment) {
	c0, c1, c2, c3 := t[0], t[1], t[2], t[3]
	for _, s := range segments {
		ia, ib, n := s.A+row, s.B*Lanes, k
		for ; n >= 2; n -= 2 {
			v, w := *at(a, ia), *at(a, ia+col)
			p, q := lanes(panel, ib), lanes(panel, ib+Lanes)
			c0 += float32(v*p[0]) + float32(w*q[0])
			c1 += float32(v*p[1]) + float32(w*q[1])
			c2 += float32(v*p[2]) + float32(w*q[2])
			c3 += float32(v*p[3]) + float32(w*q[3])
			ia += 2 * col
			ib += 2 * Lanes
		}
		if n == 1 {
			v, p := *at(a, ia), lanes(panel, ib)
			c0 += float32(v * p[0])
			c1 += float32(v * p[1])
			c2 += float32(v * p[2])
			c3 += float32(v * p[3])
		}
	}
	t[0], t[1], t[2], t[3] = c0, c1, c2, c3
}

// at points to element i of the slice that starts at p.
func at(p *float32, i int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), i*4))
}

// lanes views elements [i, i+Lanes) of the slice that starts at p.
func lanes(p *float32, i int) *[Lanes]float32 {
	return (*[Lanes]float32)(unsafe.Add(unsafe.Pointer(p), i*4))
}
