package kernel

// MulColumn computes what Mul does with a right operand, and a result, of a single
// column: at each place p, C_p (+)= Σ_s A_ps·B_s. Row i of C_p is element p.c +
// i·cRow of c, row i of A_ps is the k elements of a from p.a + s.a + i·aRow on, and
// B_s is the k of b from s.b on. Sums depend on k and on w only, but are not in
// their order.
func MulColumn(c []float32, cRow, m, k int, a []float32, aRow int, b []float32, w *Walk, p *Places, add bool) {
	if m < 1 || k < 1 || cRow < 0 || aRow < 0 || len(w.table) == 0 || len(p.table) == 0 ||
		len(c) <= p.reachC+(m-1)*cRow || len(a) < p.reachA+w.reachA+(m-1)*aRow+k || len(b) < w.reachB+k {
		panic(errShape)
	}
	active.mulColumn(c, cRow, m, k, a, aRow, b, w, p, add)
}

func mulColumnPortable(c []float32, cRow, m, k int, a []float32, aRow int, b []float32, w *Walk, p *Places, add bool) {
	for place := p.table; len(place) > 0; place = place[2:] {
		for i := range m {
			// Several sums, for an addition not to wait for the one before.
			var sums [quad]float32
			from := int(place[0]) + i*aRow
			for t := w.table; len(t) > 0; t = t[2:] {
				u, v := a[from+int(t[0]):][:k], b[t[1]:][:k]
				for len(u) >= quad && len(v) >= quad {
					sums[0] += float32(u[0] * v[0])
					sums[1] += float32(u[1] * v[1])
					sums[2] += float32(u[2] * v[2])
					sums[3] += float32(u[3] * v[3])
					u, v = u[quad:], v[quad:]
				}
				for j, value := range u {
					sums[j] += float32(value * v[j])
				}
			}
			out := &c[int(place[1])+i*cRow]
			sum := (sums[0] + sums[1]) + (sums[2] + sums[3])
			if add {
				sum += *out
			}
			*out = sum
		}
	}
}
