package kernel

import "unsafe"

// Strided is a left operand A: element (i, k) lies at i·Row + k·Col.
type Strided struct {
	Data     []float32
	Row, Col int
}

// Walk lists the stretches of a product: where each starts in A, and in B.
type Walk struct {
	table          []int32
	reachA, reachB int // the largest entries
}

// Whole is a product in one stretch.
var Whole = new(Walk).Then(0, 0)

// Then appends a stretch that starts at element a of A and element b of B.
func (w *Walk) Then(a, b int) *Walk {
	if a < 0 || b < 0 || a != int(int32(a)) || b != int(int32(b)) {
		panic(errShape)
	}
	w.table = append(w.table, int32(a), int32(b))
	w.reachA, w.reachB = max(w.reachA, a), max(w.reachB, b)
	return w
}

// Repeat lists the stretches n times, each a elements of A and b of B after the
// time before. Element i of the result has the first i+1 times.
func (w *Walk) Repeat(n, a, b int) []*Walk {
	all := new(Walk)
	return repeat(all, all.Then, w.table, n, a, b)
}

// Len returns the number of stretches.
func (w *Walk) Len() int { return len(w.table) / 2 }

// Places lists where a product is done: where it starts in A, and in C.
type Places struct {
	table          []int32
	reachA, reachC int // the largest entries
}

// Once is a single place.
var Once = new(Places).Then(0, 0)

// Then appends a place that starts at element a of A and element c of C.
func (p *Places) Then(a, c int) *Places {
	if a < 0 || c < 0 || a != int(int32(a)) || c != int(int32(c)) {
		panic(errShape)
	}
	p.table = append(p.table, int32(a), int32(c))
	p.reachA, p.reachC = max(p.reachA, a), max(p.reachC, c)
	return p
}

// Repeat lists the places n times, each a elements of A and c of C after the time
// before. Element i of the result has the first i+1 times.
func (p *Places) Repeat(n, a, c int) []*Places {
	all := new(Places)
	return repeat(all, all.Then, p.table, n, a, c)
}

// repeat appends a table's pairs to all, n times, and returns what all was after
// each.
func repeat[T any](all *T, then func(a, b int) *T, table []int32, n, a, b int) []*T {
	var prefixes []*T
	for i := range n {
		for t := table; len(t) > 0; t = t[2:] {
			then(int(t[0])+i*a, int(t[1])+i*b)
		}
		prefix := *all
		prefixes = append(prefixes, &prefix)
	}
	return prefixes
}

// Mul computes, at each place p, C_p (+)= Σ_s A_ps·B_s over the stretches s of w.
// C_p is m×n and starts at element p.c of C, A_ps is m×k and starts at element
// p.a + s.a of A, and B_s is k×n and starts at element s.b of B. With add it adds
// to C, otherwise it overwrites it. Every element of C is summed in the order of
// w and then of k. The C_p must not overlap each other nor A nor B.
func Mul(c Matrix, m, n, k int, a Strided, b Matrix, w *Walk, p *Places, add bool) {
	if m < 1 || n < 1 || k < 1 || len(w.table) == 0 || len(p.table) == 0 {
		panic(errShape)
	}
	c.check(p.reachC, m, n)
	b.check(w.reachB, k, n)
	if a.Row < 0 || a.Col < 0 || len(a.Data) <= p.reachA+w.reachA+(m-1)*a.Row+(k-1)*a.Col {
		panic(errShape)
	}
	active.mul(c, m, n, k, a, b, w, p, add)
}

// quad is the number of columns that portable code computes together.
const quad = 4

func mulPortable(c Matrix, m, n, k int, a Strided, b Matrix, w *Walk, p *Places, add bool) {
	for j := 0; j < n; j += quad {
		right := &b.Data[b.at(0, j)]
		for place := p.table; len(place) > 0; place = place[2:] {
			for i := range m {
				var t [quad]float32
				out := c.Data[int(place[1])+c.at(i, j):][:quad]
				if add {
					copy(t[:], out)
				}
				mulQuad(&t, k, &a.Data[int(place[0])+i*a.Row], a.Col, right, b.Row, w.table)
				copy(out, t[:])
			}
		}
	}
}

// mulQuad adds one row's product with four columns to t. Two steps of k at once
// keep all values in registers; a wider tile makes the compiler spill. It runs
// on pointers because bounds checks here cost a quarter of the speed; Mul has
// done them for the whole call.
func mulQuad(t *[quad]float32, k int, a *float32, col int, b *float32, row int, table []int32) {
	c0, c1, c2, c3 := t[0], t[1], t[2], t[3]
	for ; len(table) >= 2; table = table[2:] {
		ia, ib, n := int(table[0]), int(table[1]), k
		for ; n >= 2; n -= 2 {
			v, w := *at(a, ia), *at(a, ia+col)
			p, q := four(b, ib), four(b, ib+row)
			c0 += float32(v*p[0]) + float32(w*q[0])
			c1 += float32(v*p[1]) + float32(w*q[1])
			c2 += float32(v*p[2]) + float32(w*q[2])
			c3 += float32(v*p[3]) + float32(w*q[3])
			ia += 2 * col
			ib += 2 * row
		}
		if n == 1 {
			v, p := *at(a, ia), four(b, ib)
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

// four views elements [i, i+quad) of the slice that starts at p.
func four(p *float32, i int) *[quad]float32 {
	return (*[quad]float32)(unsafe.Add(unsafe.Pointer(p), i*4))
}
