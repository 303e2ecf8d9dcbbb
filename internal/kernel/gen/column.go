package main

import (
	"fmt"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// columnRows is the height of the highest tile of mulColumn: sums enough for the
// latency of an addition not to matter.
const columnRows = 8

func columns(set isa) {
	for rows := 1; rows <= columnRows; rows++ {
		mulColumn(set, rows)
	}
}

// mulColumn computes one tile of C (+)= Σ_s A_s·B_s for a single column B at every
// place {a, c}, in elements: in each segment {a, b}, in elements, so many whole
// vectors, and then the lanes of one more that mask sets, of a row of A at place.a
// + segment.a meet those of B at segment.b. Strides are in bytes.
func mulColumn(set isa, rows int) {
	function(fmt.Sprintf("mulColumn%d%s", rows, set.suffix),
		"func(nplaces int, places *int32, nseg int, segs *int32, whole int, mask *int32, a *float32, rsa int, b *float32, c *float32, ldc int, add int)")
	rsa := param("rsa")
	lanes := set.loadMask(param("mask"))
	// One register leads four rows, at 0, 1, 2 and 3 times rsa.
	leads := make([]reg.GPVirtual, (rows+3)/4)
	for i := range leads {
		leads[i] = GP64()
	}
	rsa3 := GP64()
	LEAQ(Mem{Base: rsa, Index: rsa, Scale: 2}, rsa3)
	row := func(i int) Mem {
		m := Mem{Base: leads[i/4]}
		switch i % 4 {
		case 1:
			m.Index, m.Scale = rsa, 1
		case 2:
			m.Index, m.Scale = rsa, 2
		case 3:
			m.Index, m.Scale = rsa3, 1
		}
		return m
	}
	a, b, k, segs, left := GP64(), GP64(), GP64(), GP64(), GP64()
	sums := make([]reg.VecVirtual, rows)

	Label("place")
	for i := range sums {
		sums[i] = set.vector()
		set.zero(sums[i])
	}
	MOVQ(argument("places"), a)
	MOVLQSX(Mem{Base: a}, a)
	SHLQ(Imm(2), a)
	ADDQ(argument("a"), a)
	MOVQ(argument("segs"), segs)
	MOVQ(argument("nseg"), left)
	Label("segment")
	MOVLQSX(Mem{Base: segs}, leads[0])
	MOVLQSX(Mem{Base: segs, Disp: 4}, b)
	ADDQ(Imm(8), segs)
	LEAQ(Mem{Base: a, Index: leads[0], Scale: 4}, leads[0])
	SHLQ(Imm(2), b)
	ADDQ(argument("b"), b)
	for i := 1; i < len(leads); i++ {
		LEAQ(Mem{Base: leads[i-1], Index: rsa, Scale: 4}, leads[i])
	}
	MOVQ(argument("whole"), k)
	TESTQ(k, k)
	JZ(LabelRef("tail"))
	Label("whole")
	right := set.vector()
	VMOVUPS(Mem{Base: b}, right)
	ADDQ(U32(uint32(set.bytes)), b)
	for i, sum := range sums {
		VFMADD231PS(row(i), right, sum)
	}
	for _, lead := range leads {
		ADDQ(U32(uint32(set.bytes)), lead)
	}
	DECQ(k)
	JNZ(LabelRef("whole"))
	Label("tail")
	right = set.loadLanes(lanes, Mem{Base: b})
	for i, sum := range sums {
		VFMADD231PS(set.loadLanes(lanes, row(i)), right, sum)
	}
	DECQ(left)
	JNZ(LabelRef("segment"))

	c, ldc := k, b
	MOVQ(argument("places"), c)
	MOVLQSX(Mem{Base: c, Disp: 4}, c)
	SHLQ(Imm(2), c)
	ADDQ(argument("c"), c)
	MOVQ(argument("ldc"), ldc)
	var totals []reg.VecVirtual // of up to four rows each
	for four := range slices.Chunk(sums, 4) {
		totals = append(totals, set.sumLanes(four))
	}
	CMPQ(argument("add"), Imm(0))
	JE(LabelRef("store"))
	MOVQ(c, left)
	for i, total := range totals {
		old := XMM()
		VMOVSS(Mem{Base: left}, old)
		ADDQ(ldc, left)
		for lane := 1; lane < min(4, rows-4*i); lane++ {
			VINSERTPS(Imm(uint64(lane)<<4), Mem{Base: left}, old, old)
			ADDQ(ldc, left)
		}
		VADDPS(old, total, total)
	}
	Label("store")
	for i := range rows {
		VEXTRACTPS(Imm(uint64(i%4)), totals[i/4], Mem{Base: c})
		ADDQ(ldc, c)
	}
	ADDQ(Imm(8), argument("places"))
	DECQ(argument("nplaces"))
	JNZ(LabelRef("place"))
	finish()
}

// loadMask reads a mask from a vector of int32, 0 or −1.
func (set isa) loadMask(from reg.GPVirtual) mask {
	v := set.vector()
	VMOVUPS(Mem{Base: from}, v)
	if !set.wide() {
		return mask{v: v}
	}
	m := mask{k: K()}
	VPTESTMD(v, v, m.k)
	return m
}

// loadLanes reads the lanes of m, and nothing else of memory; the others are zero.
func (set isa) loadLanes(m mask, from Mem) reg.VecVirtual {
	v := set.vector()
	if set.wide() {
		VMOVUPS_Z(from, m.k, v)
	} else {
		VMASKMOVPS(from, m.v, v)
	}
	return v
}

// sumLanes adds up the lanes of each of up to four vectors: those of the first in
// lane 0, and so on.
func (set isa) sumLanes(v []reg.VecVirtual) reg.VecVirtual {
	halves := make([]reg.VecVirtual, 4)
	for i := range halves {
		if i >= len(v) {
			halves[i] = halves[i-1] // whose sums nobody reads twice
			continue
		}
		halves[i] = v[i].AsY().(reg.VecVirtual)
		if set.wide() {
			high := YMM()
			VEXTRACTF64X4(Imm(1), v[i], high)
			VADDPS(high, halves[i], halves[i])
		}
	}
	left, right, sums, high := YMM(), YMM(), YMM(), XMM()
	VHADDPS(halves[1], halves[0], left)
	VHADDPS(halves[3], halves[2], right)
	VHADDPS(right, left, sums)
	VEXTRACTF128(Imm(1), sums, high)
	total := sums.AsX().(reg.VecVirtual)
	VADDPS(high, total, total)
	return total
}
