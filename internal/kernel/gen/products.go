package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// quarter is what widths are counted in: 16 columns of float32.
const quarter = 64

// tile is a block of sums that mul keeps in registers: rows × cols·16, at so many
// places at once.
type tile struct{ rows, cols, places int }

// window is a block of sums that mulSparse keeps in registers.
type window struct{ rows, cols int }

func tilesUpTo(rows, cols int) []tile {
	var all []tile
	for r := 1; r <= rows; r++ {
		all = append(all, tile{r, cols, 1})
	}
	return all
}

// pairsUpTo lists tiles at two places, where one is too few sums.
func pairsUpTo(rows int) []tile {
	var all []tile
	for r := 1; r <= rows; r++ {
		all = append(all, tile{r, 1, 2})
	}
	return all
}

func windowsUpTo(rows, cols int) []window {
	var all []window
	for r := 1; r <= rows; r++ {
		for c := 1; c <= cols; c++ {
			all = append(all, window{r, c})
		}
	}
	return all
}

func products(set isa) {
	for _, t := range set.tiles {
		mul(set, t)
	}
	for _, w := range set.windows {
		mulSparse(set, w)
	}
}

// block is rows × vectors of registers.
type block [][]reg.VecVirtual

func (set isa) block(rows, cols int) block {
	b := make(block, rows)
	for i := range b {
		for range cols * quarter / set.bytes {
			b[i] = append(b[i], set.vector())
		}
	}
	return b
}

func (set isa) clear(b block) {
	for _, row := range b {
		for _, v := range row {
			set.zero(v)
		}
	}
}

// mul computes one tile of C (+)= Σ_s A_s·B_s at every place {a, c}, in elements:
// for each segment {a, b}, in elements, and each k below kc, the column of A at
// place.a + segment.a + k·csa meets the row of B at segment.b + k·bstep. Strides
// are in bytes. nplaces is a multiple of the tile's places.
func mul(set isa, t tile) {
	kind := "mul"
	if t.places == 2 {
		kind = "mulPair"
	}
	function(fmt.Sprintf("%s%dx%d%s", kind, t.rows, t.cols*16, set.suffix),
		"func(nplaces int, places *int32, nseg int, segs *int32, kc int, a *float32, rsa, csa int, b *float32, bstep int, c *float32, ldc int, add int)")
	rsa, csa, bstep := param("rsa"), param("csa"), param("bstep")
	// One register leads four rows of a place, at 0, 1, 2 and 3 times rsa.
	perPlace := (t.rows + 3) / 4
	leads := make([]reg.GPVirtual, t.places*perPlace)
	for i := range leads {
		leads[i] = GP64()
	}
	rsa3 := GP64()
	LEAQ(Mem{Base: rsa, Index: rsa, Scale: 2}, rsa3)
	a := make([]reg.GPVirtual, t.places)
	for i := range a {
		a[i] = GP64()
	}
	b, k, segs, left := GP64(), GP64(), GP64(), GP64()

	Label("place")
	sums := set.block(t.places*t.rows, t.cols)
	set.clear(sums)
	for i := range a {
		MOVQ(argument("places"), a[i])
		MOVLQSX(Mem{Base: a[i], Disp: 8 * i}, a[i])
		SHLQ(Imm(2), a[i])
		ADDQ(argument("a"), a[i])
	}
	MOVQ(argument("segs"), segs)
	MOVQ(argument("nseg"), left)
	Label("segment")
	MOVLQSX(Mem{Base: segs}, leads[0])
	MOVLQSX(Mem{Base: segs, Disp: 4}, b)
	ADDQ(Imm(8), segs)
	for i := len(a) - 1; i >= 0; i-- { // the first overwrites the offset
		LEAQ(Mem{Base: a[i], Index: leads[0], Scale: 4}, leads[i*perPlace])
	}
	SHLQ(Imm(2), b)
	ADDQ(argument("b"), b)
	for i := range leads {
		if i%perPlace > 0 {
			LEAQ(Mem{Base: leads[i-1], Index: rsa, Scale: 4}, leads[i])
		}
	}
	step := func() {
		right := make([]reg.VecVirtual, len(sums[0]))
		for j := range right {
			right[j] = set.vector()
			VMOVUPS(Mem{Base: b, Disp: j * set.bytes}, right[j])
		}
		ADDQ(bstep, b)
		for i, row := range sums {
			value := Mem{Base: leads[i/t.rows*perPlace+i%t.rows/4]}
			switch i % t.rows % 4 {
			case 1:
				value.Index, value.Scale = rsa, 1
			case 2:
				value.Index, value.Scale = rsa, 2
			case 3:
				value.Index, value.Scale = rsa3, 1
			}
			v := set.vector()
			VBROADCASTSS(value, v)
			for j, sum := range row {
				VFMADD231PS(v, right[j], sum)
			}
		}
		for _, lead := range leads {
			ADDQ(csa, lead)
		}
	}
	MOVQ(argument("kc"), k)
	SUBQ(Imm(2), k)
	JLT(LabelRef("odd"))
	Label("pair")
	step()
	step()
	SUBQ(Imm(2), k)
	JGE(LabelRef("pair"))
	Label("odd")
	ADDQ(Imm(2), k)
	JZ(LabelRef("next"))
	step()
	Label("next")
	DECQ(left)
	JNZ(LabelRef("segment"))

	c, ldc, at := k, b, left
	for i := range t.places {
		store := fmt.Sprintf("store%d", i)
		rows := sums[i*t.rows:][:t.rows]
		MOVQ(argument("places"), c)
		MOVLQSX(Mem{Base: c, Disp: 8*i + 4}, c)
		SHLQ(Imm(2), c)
		ADDQ(argument("c"), c)
		MOVQ(argument("ldc"), ldc)
		CMPQ(argument("add"), Imm(0))
		JE(LabelRef(store))
		MOVQ(c, at)
		for _, row := range rows {
			for j, sum := range row {
				VADDPS(Mem{Base: at, Disp: j * set.bytes}, sum, sum)
			}
			ADDQ(ldc, at)
		}
		Label(store)
		for _, row := range rows {
			for j, sum := range row {
				VMOVUPS(sum, Mem{Base: c, Disp: j * set.bytes})
			}
			ADDQ(ldc, c)
		}
	}
	ADDQ(Imm(uint64(8*t.places)), argument("places"))
	SUBQ(Imm(uint64(t.places)), argument("nplaces"))
	JNZ(LabelRef("place"))
	finish()
}

// mulSparse adds, for each list g of terms v[i], off[i], Σ v·B[off] to the window
// of C at places[g], both w.rows × w.cols·16 elements with rows bs and cs bytes
// apart. off and places count elements; lists lie room bytes apart.
func mulSparse(set isa, w window) {
	function(fmt.Sprintf("mulSparse%dx%d%s", w.rows, w.cols*16, set.suffix),
		"func(n int, counts *int32, v *float32, offs *int32, room int, b *float32, bs int, c *float32, cs int, places *int32)")
	n, counts, values, offs := param("n"), param("counts"), param("v"), param("offs")
	b, bs, c, cs, places := param("b"), param("bs"), param("c"), param("cs"), param("places")
	sums := set.block(w.rows, w.cols)
	at, left, term, off := GP64(), GP64(), GP64(), GP64()
	// rows of a window are at 0, 1 and 2 strides
	row := func(base, stride reg.GPVirtual, i, j int) Mem {
		m := Mem{Base: base, Disp: j * set.bytes}
		if i > 0 {
			m.Index, m.Scale = stride, uint8(i)
		}
		return m
	}
	Label("list")
	MOVLQSX(Mem{Base: counts}, left)
	MOVLQSX(Mem{Base: places}, at)
	LEAQ(Mem{Base: c, Index: at, Scale: 4}, at)
	TESTQ(left, left)
	JZ(LabelRef("next"))
	for i, r := range sums {
		for j, sum := range r {
			VMOVUPS(row(at, cs, i, j), sum)
		}
	}
	XORQ(term, term)
	Label("term")
	v := set.vector()
	VBROADCASTSS(Mem{Base: values, Index: term, Scale: 4}, v)
	MOVLQSX(Mem{Base: offs, Index: term, Scale: 4}, off)
	LEAQ(Mem{Base: b, Index: off, Scale: 4}, off)
	INCQ(term)
	for i, r := range sums {
		for j, sum := range r {
			VFMADD231PS(row(off, bs, i, j), v, sum)
		}
	}
	CMPQ(term, left)
	JNE(LabelRef("term"))
	for i, r := range sums {
		for j, sum := range r {
			VMOVUPS(sum, row(at, cs, i, j))
		}
	}
	Label("next")
	ADDQ(argument("room"), values)
	ADDQ(argument("room"), offs)
	ADDQ(Imm(4), counts)
	ADDQ(Imm(4), places)
	DECQ(n)
	JNZ(LabelRef("list"))
	finish()
}

// multiplyAdd repeats a product and sum n times on each of set.chains registers:
// enough for the latency not to matter.
func multiplyAdd(set isa) {
	function("multiplyAdd"+set.suffix, "func(n int)")
	n := param("n")
	sums := make([]reg.VecVirtual, set.chains)
	for i := range sums {
		sums[i] = set.vector()
	}
	a, b := set.vector(), set.vector()
	for _, v := range append(sums, a, b) {
		set.zero(v)
	}
	Label("loop")
	for _, sum := range sums {
		VFMADD231PS(a, b, sum)
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	finish()
}
