package kernel

import (
	"slices"
	"testing"
)

// untouched fails when an element of c that is not among the listed ones is no
// longer a canary.
func untouched(d *drawing, c []float32, written []int) {
	slices.Sort(written)
	for i, v := range c {
		if _, ok := slices.BinarySearch(written, i); !ok && v != canary {
			d.Fatalf("element %d, outside of the result, became %v", i, v)
		}
	}
}

// matrix returns rows × n elements in rows or panels, made by fill, and none
// more.
func (d *drawing) matrix(rows, n int, fill func(int) []float32) Matrix {
	if d.bool("panels") {
		return Panels(fill(rows*n), rows, n)
	}
	row := n + d.int("gap", 0, 19)
	return Rows(fill((rows-1)*row+n), row, n)
}

func TestMulMatchesFloat64(t *testing.T) {
	property(t, func(d *drawing) {
		m, n, k := d.int("m", 1, 33), Lanes*d.int("n", 1, 5), d.int("k", 1, 20)
		add := d.bool("add")
		rows := k + d.int("more rows", 0, 5)
		b := d.matrix(rows, n, d.values)
		a := Strided{Row: d.int("row", 0, 30), Col: d.int("col", 0, 3)}
		w := new(Walk)
		for range d.int("stretches", 1, 4) {
			w.Then(d.r.IntN(50), b.Row*d.r.IntN(rows-k+1))
		}
		places := d.int("places", 1, 3)
		c := d.matrix(m*places, n, d.canaries)
		p := new(Places)
		for i := range places {
			p.Then(d.r.IntN(50), i*m*c.Row)
		}
		a.Data = d.values(p.reachA + w.reachA + (m-1)*a.Row + (k-1)*a.Col + 1)
		Mul(c, m, n, k, a, b, w, p, add)
		var written []int
		for i := range m * places {
			start := int(p.table[i/m*2])
			for j := range n {
				var want sum
				if add {
					want.add(canary, 1)
				}
				for s := range w.Len() {
					from, row := int(w.table[2*s]), int(w.table[2*s+1])/b.Row
					for l := range k {
						want.add(a.Data[start+from+i%m*a.Row+l*a.Col], b.Data[b.at(row+l, j)])
					}
				}
				want.compare(d, "C", i*n+j, c.Data[c.at(i, j)])
				written = append(written, c.at(i, j))
			}
		}
		untouched(d, c.Data, written)
	})
}

// The order of a sum must not depend on how a product is cut into tiles, nor on
// which places are computed together.
func TestMulDoesNotDependOnTiles(t *testing.T) {
	property(t, func(d *drawing) {
		m, n, k, places := d.int("m", 1, 40), Lanes*d.int("n", 1, 4), d.int("k", 1, 30), d.int("places", 1, 4)
		p := new(Places)
		for i := range places {
			p.Then(i*m*k, i*m*n)
		}
		a, b := Strided{d.values(places * m * k), k, 1}, Panels(d.values(k*n), k, n)
		whole, single := Rows(d.values(places*m*n), n, n), Rows(d.values(places*m*n), n, n)
		Mul(whole, m, n, k, a, b, Whole, p, false)
		for i := range places * m {
			Mul(single.From(i), 1, n, k, Strided{a.Data[i*k:], k, 1}, b, Whole, Once, false)
		}
		if !slices.Equal(whole.Data, single.Data) {
			d.Fatal("rows computed one by one differ")
		}
	})
}

func TestMulSparseMatchesFloat64(t *testing.T) {
	property(t, func(d *drawing) { d.mulSparse(d.int("rows", 1, 7), Lanes*d.int("width", 1, 8)) })
}

// A family may have a function for each of these windows. Random shapes would
// meet the largest too rarely.
func TestMulSparseOfEveryWindow(t *testing.T) {
	property(t, func(d *drawing) {
		for rows := 1; rows <= 3; rows++ {
			for width := Lanes; width <= 6*Lanes; width += Lanes {
				d.mulSparse(rows, width)
			}
		}
	})
}

// mulSparse checks one product of random lists.
func (d *drawing) mulSparse(rows, width int) {
	lists, room := d.int("lists", 1, 6), d.int("room", 1, 12)
	cRow, bRow := width+d.int("gap", 0, 40), d.int("rows of B", 0, 150)
	reach := d.int("reach", 0, 40)
	b := d.values(reach + (rows-1)*bRow + width)
	l := NewLists(lists, room, reach)
	places := make([]int32, lists)
	for i := range lists {
		places[i] = int32(d.r.IntN(60))
		l.counts[i] = int32(d.r.IntN(room + 1))
		for j := range l.counts[i] {
			l.v[i*l.room+int(j)], l.offs[i*l.room+int(j)] = float32(d.r.NormFloat64()), int32(d.r.IntN(reach+1))
		}
	}
	c := d.canaries(int(slices.Max(places)) + (rows-1)*cRow + width)
	want := make([]sum, len(c))
	for i := range want {
		want[i].add(canary, 1)
	}
	MulSparse(c, cRow, places, l, b, bRow, rows, width)
	for i := range lists {
		for e := i * l.room; e < i*l.room+int(l.counts[i]); e++ {
			for r := range rows {
				for j := range width {
					want[int(places[i])+r*cRow+j].add(l.v[e], b[int(l.offs[e])+r*bRow+j])
				}
			}
		}
	}
	for i := range c {
		want[i].compare(d, "C", i, c[i])
	}
}

func TestCollectListsWhatIsLive(t *testing.T) {
	property(t, func(d *drawing) {
		cells, taps, channels := d.int("cells", 1, 9), d.int("taps", 1, 5), d.int("channels", 1, 20)
		width, positions := Pad(channels), d.int("positions", 1, 30)
		of, sources, rows := make([]int32, cells*taps), make([]int32, positions), make([]int32, channels)
		for i := range of {
			of[i] = int32(d.r.IntN(positions))
		}
		for i := range sources {
			sources[i] = int32(1000 + i)
		}
		for i := range rows {
			rows[i] = int32(2000 + i)
		}
		dy, arg := d.values(cells*width), guarded[uint8](d, cells*width)
		for i := range arg {
			if arg[i] = uint8(d.r.IntN(taps)); d.r.IntN(2) == 0 {
				arg[i] = Dead
			}
		}
		k := NewCollector(of, taps, sources, rows)
		for range 2 { // what one call leaves must not reach the next
			k.Collect(dy, arg, width)
		}
		type term struct {
			list int
			v    float32
			off  int32
		}
		byChannel, byPosition := map[term]int{}, map[term]int{}
		for i, t := range arg {
			if cell, f := i/width, i%width; t != Dead && f < channels {
				p := of[cell*taps+int(t)]
				byChannel[term{f, dy[i], sources[p]}]++
				byPosition[term{int(p), dy[i], rows[f]}]++
			}
		}
		for what, pair := range map[string]struct {
			l    *Lists
			want map[term]int
		}{"channel": {k.ByChannel, byChannel}, "position": {k.ByPosition, byPosition}} {
			for i, n := range pair.l.counts {
				for e := i * pair.l.room; e < i*pair.l.room+int(n); e++ {
					pair.want[term{i, pair.l.v[e], pair.l.offs[e]}]--
				}
			}
			for t, n := range pair.want {
				if n != 0 {
					d.Fatalf("by %s: %+v is listed %d times too few", what, t, n)
				}
			}
		}
	})
}

func TestTranspose(t *testing.T) {
	property(t, func(d *drawing) {
		rows, cols := d.int("rows", 1, 40), d.int("cols", 1, 40)
		dRow, sRow := rows+d.int("gap", 0, 9), cols+d.int("gap", 0, 9)
		src, dst := d.values((rows-1)*sRow+cols), d.canaries((cols-1)*dRow+rows)
		Transpose(dst, dRow, src, sRow, rows, cols)
		var written []int
		for i := range rows {
			for j := range cols {
				if dst[j*dRow+i] != src[i*sRow+j] {
					d.Fatalf("element (%d, %d) went astray", i, j)
				}
				written = append(written, j*dRow+i)
			}
		}
		untouched(d, dst, written)
	})
}

func TestProductsRefuseOperandsThatAreTooShort(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	b, one := Panels(f(4*16), 4, 16), NewLists(1, 1, 2)
	for name, call := range map[string]func(){
		"C too short":      func() { Mul(Rows(f(31), 16, 16), 2, 16, 4, Strided{f(8), 4, 1}, b, Whole, Once, false) },
		"A too short":      func() { Mul(Rows(f(32), 16, 16), 2, 16, 4, Strided{f(7), 4, 1}, b, Whole, Once, false) },
		"B too short":      func() { Mul(Rows(f(32), 16, 16), 2, 16, 5, Strided{f(10), 5, 1}, b, Whole, Once, false) },
		"odd width":        func() { Mul(Rows(f(32), 16, 16), 2, 15, 4, Strided{f(8), 4, 1}, b, Whole, Once, false) },
		"stretch beyond A": func() { Mul(Rows(f(16), 16, 16), 1, 16, 4, Strided{f(4), 4, 1}, b, new(Walk).Then(1, 0), Once, false) },
		"stretch beyond B": func() { Mul(Rows(f(16), 16, 16), 1, 16, 4, Strided{f(4), 4, 1}, b, new(Walk).Then(0, 16), Once, false) },
		"place beyond A": func() {
			Mul(Rows(f(16), 16, 16), 1, 16, 4, Strided{f(4), 4, 1}, b, Whole, new(Places).Then(1, 0), false)
		},
		"place beyond C": func() {
			Mul(Rows(f(16), 16, 16), 1, 16, 4, Strided{f(4), 4, 1}, b, Whole, new(Places).Then(0, 1), false)
		},
		"no place":                  func() { Mul(Rows(f(16), 16, 16), 1, 16, 4, Strided{f(4), 4, 1}, b, Whole, new(Places), false) },
		"column's C too short":      func() { MulColumn(f(16), 16, 2, 4, f(8), 4, f(4), Whole, Once, false) },
		"column's A too short":      func() { MulColumn(f(2), 1, 2, 4, f(7), 4, f(4), Whole, Once, false) },
		"column's B too short":      func() { MulColumn(f(2), 1, 2, 4, f(8), 4, f(3), Whole, Once, false) },
		"column's stretch beyond B": func() { MulColumn(f(2), 1, 2, 4, f(8), 4, f(4), new(Walk).Then(0, 1), Once, false) },
		"stretch before A":          func() { new(Walk).Then(-1, 0) },
		"empty walk":                func() { Mul(Rows(f(16), 16, 16), 1, 16, 4, Strided{f(4), 4, 1}, b, new(Walk), Once, false) },
		"window beyond C":           func() { MulSparse(f(16), 16, []int32{1}, one, f(18), 0, 1, 16) },
		"window before C":           func() { MulSparse(f(16), 16, []int32{-1}, one, f(18), 0, 1, 16) },
		"term beyond B":             func() { MulSparse(f(16), 16, []int32{0}, one, f(17), 0, 1, 16) },
		"too few places":            func() { MulSparse(f(16), 16, nil, one, f(18), 0, 1, 16) },
		"odd window":                func() { MulSparse(f(16), 16, []int32{0}, one, f(18), 0, 1, 15) },
		"transpose beyond":          func() { Transpose(f(6), 2, f(5), 3, 2, 3) },
		"pool beyond z":             func() { MaxPool(f(16), make([]uint8, 16), f(31), Pooling{[]int32{0, 16}, 16, 1}, f(16), 0) },
		"pool of no tap":            func() { MaxPool(f(16), make([]uint8, 16), f(31), Pooling{nil, 16, 1}, f(16), 0) },
		"lengths differ":            func() { AddScaled(f(2), 1, f(3)) },
		"rows do not divide":        func() { AddBias(f(17), f(16), 0) },
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
