package main

import "fmt"

// tallest is the height of the highest tile: 24 sums, 4 vectors of B and as many
// values of A make 32 registers. Each value is spread over a vector as it is loaded,
// for Go's assembler cannot multiply by an element; still 48 of the 64 instructions
// of the loop are VFMLA.
const tallest = 6

// most is the number of lanes that a window has at most. Beside their 24 sums it
// takes 4 vectors of B and a value; up to 24 of 35 instructions of the loop are
// VFMLA.
const most = 6

func products() []*routine {
	var all []*routine
	for rows := 1; rows <= tallest; rows++ {
		all = append(all, mul(rows))
	}
	for rows := 1; rows <= 3; rows++ {
		for cols := 1; rows*cols <= most; cols++ {
			all = append(all, mulSparse(rows, cols))
		}
	}
	return all
}

// mul computes one tile of C (+)= Σ_s A_s·B_s at every place {a, c}, in elements:
// for each segment {a, b}, in elements, and each k below kc, the column of A at
// place.a + segment.a + k·csa meets the row of B at segment.b + k·bstep. Strides
// are in bytes.
func mul(rows int) *routine {
	r := newRoutine(fmt.Sprintf("mul%dx16NEON", rows), "nplaces int, places *int32, nseg int, segs *int32, kc int, "+
		"a *float32, rsa int, csa int, b *float32, bstep int, c *float32, ldc int, add int")
	nplaces, places, nseg, segs, kc := r.load("nplaces"), r.load("places"), r.load("nseg"), r.load("segs"), r.load("kc")
	a, rsa, csa, b, bstep := r.load("a"), r.load("rsa"), r.load("csa"), r.load("b"), r.load("bstep")
	c, add := r.load("c"), r.load("add")
	atPlace, seg, left, k, right := r.register(), r.register(), r.register(), r.register(), r.register()
	leads := make([]register, rows) // to where each row of A is read
	for i := range leads {
		leads[i] = r.register()
	}
	sums, rowOfB := r.block(rows, 1), r.lanes()
	values := make([]vector, min(rows, 4))
	for i := range values {
		values[i] = r.vector()
	}

	r.label("place")
	for _, row := range sums {
		for _, v := range row[0] {
			r.clear(v)
		}
	}
	r.emit("MOVW.P", past(places, 4), atPlace)
	r.emit("ADD", scaled(atPlace), a, atPlace)
	r.emit("MOVD", segs, seg)
	r.emit("MOVD", nseg, left)
	r.label("segment")
	r.emit("MOVW.P", past(seg, 4), leads[0])
	r.emit("ADD", scaled(leads[0]), atPlace, leads[0])
	for i, lead := range leads[1:] {
		r.emit("ADD", rsa, leads[i], lead)
	}
	r.emit("MOVW.P", past(seg, 4), right)
	r.emit("ADD", scaled(right), b, right)
	step := func() {
		r.emit("VLD1.P", stepping(right, bstep), rowOfB)
		// Values are read ahead by as many rows as there are registers for them.
		value := func(i int) { r.emit("VLD1R.P", stepping(leads[i], csa), brackets(values[i%len(values)])) }
		for i := range values {
			value(i)
		}
		for i, row := range sums {
			r.multiplyAdd(row[0], values[i%len(values)], rowOfB)
			if next := i + len(values); next < rows {
				value(next)
			}
		}
	}
	r.emit("SUBS", "$2", kc, k)
	r.emit("BLT", "odd")
	r.label("pair")
	step()
	step()
	r.emit("SUBS", "$2", k)
	r.emit("BGE", "pair")
	r.label("odd")
	r.emit("ADDS", "$2", k)
	r.emit("BEQ", "next")
	step()
	r.label("next")
	r.countdown(left, "segment")

	to, at, ldc, one := k, seg, left, values[0]
	r.emit("MOVW.P", past(places, 4), to)
	r.emit("ADD", scaled(to), c, to)
	r.emit("MOVD", r.argument("ldc"), ldc)
	r.emit("CBZ", add, "store")
	r.emit("MOVD", to, at)
	r.ones(one)
	for _, row := range sums {
		r.emit("VLD1.P", stepping(at, ldc), rowOfB)
		r.multiplyAdd(row[0], one, rowOfB)
	}
	r.label("store")
	for _, row := range sums {
		r.emit("VST1.P", row[0], stepping(to, ldc))
	}
	r.countdown(nplaces, "place")
	return r
}

// multiplyAdd computes sums += value·row.
func (r *routine) multiplyAdd(sums lanes, value vector, row lanes) {
	for i, sum := range sums {
		r.emit("VFMLA", value, row[i], sum)
	}
}

// mulSparse adds, for each list g of terms v[i], off[i], Σ v·B[off] to the window
// of C at places[g], both rows × cols·16 elements with rows bs and cs bytes apart.
// off and places count elements; lists lie room bytes apart.
func mulSparse(rows, cols int) *routine {
	r := newRoutine(fmt.Sprintf("mulSparse%dx%dNEON", rows, cols*16),
		"n int, counts *int32, v *float32, offs *int32, room int, b *float32, bs int, c *float32, cs int, places *int32")
	n, counts, values, offs, room := r.load("n"), r.load("counts"), r.load("v"), r.load("offs"), r.load("room")
	b, bs, c, cs, places := r.load("b"), r.load("bs"), r.load("c"), r.load("cs"), r.load("places")
	left, at, window, value, offset, right := r.register(), r.register(), r.register(), r.register(), r.register(), r.register()
	sums, row, v := r.block(rows, cols), r.lanes(), r.vector()
	if cols > 1 { // from the last lanes of a row to the first of the next
		r.emit("SUB", fmt.Sprintf("$%d", (cols-1)*lanesBytes), bs)
		r.emit("SUB", fmt.Sprintf("$%d", (cols-1)*lanesBytes), cs)
	}
	// next is where lanes j are, and moves base on to those that follow.
	next := func(base, stride register, j int) string {
		if j == cols-1 {
			return stepping(base, stride)
		}
		return past(base, lanesBytes)
	}

	r.label("list")
	r.emit("MOVW.P", past(counts, 4), left)
	r.emit("MOVW.P", past(places, 4), at)
	r.emit("CBZ", left, "next")
	r.emit("ADD", scaled(at), c, at)
	r.emit("MOVD", at, window)
	for _, line := range sums {
		for j, sum := range line {
			r.emit("VLD1.P", next(at, cs, j), sum)
		}
	}
	r.emit("MOVD", values, value)
	r.emit("MOVD", offs, offset)
	r.label("term")
	r.emit("MOVW.P", past(offset, 4), right)
	r.emit("VLD1R.P", past(value, 4), brackets(v))
	r.emit("ADD", scaled(right), b, right)
	for _, line := range sums {
		for j, sum := range line {
			r.emit("VLD1.P", next(right, bs, j), row)
			r.multiplyAdd(sum, v, row)
		}
	}
	r.countdown(left, "term")
	for _, line := range sums {
		for j, sum := range line {
			r.emit("VST1.P", sum, next(window, cs, j))
		}
	}
	r.label("next")
	r.emit("ADD", room, values)
	r.emit("ADD", room, offs)
	r.countdown(n, "list")
	return r
}

// chains is the number of sums of multiplyAdd.
const chains = 24

// multiplyAdd repeats a product and sum n times on each of as many registers as
// it takes for the latency not to matter.
func multiplyAdd() *routine {
	r := newRoutine("multiplyAddNEON", "n int")
	n, sums, a, b := r.load("n"), make([]vector, chains), r.vector(), r.vector()
	r.clear(a)
	r.clear(b)
	for i := range sums {
		sums[i] = r.vector()
		r.clear(sums[i])
	}
	r.label("loop")
	for _, sum := range sums {
		r.emit("VFMLA", a, b, sum)
	}
	r.countdown(n, "loop")
	return r
}
