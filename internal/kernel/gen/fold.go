package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// fold computes sum += share_r·v_r over the rows of v, one after the other, in
// float64 and rounded after the product, so that every family gives the same
// bits. n counts 16 elements, row is in bytes.
func fold(set isa) {
	function("fold"+set.suffix, "func(n int, sum *float64, v *float32, row int, shares *float64, rows int)")
	n, sum, v, row, shares := param("n"), param("sum"), param("v"), param("row"), param("shares")
	half := set.bytes / 2 // of float32 for a vector of float64
	sums := make([]reg.VecVirtual, 16*8/set.bytes)
	at, share, left := GP64(), GP64(), GP64()
	Label("block")
	for i := range sums {
		sums[i] = set.vector()
		VMOVUPD(Mem{Base: sum, Disp: i * set.bytes}, sums[i])
	}
	MOVQ(v, at)
	MOVQ(shares, share)
	MOVQ(argument("rows"), left)
	Label("row")
	factor := set.vector()
	VBROADCASTSD(Mem{Base: share}, factor)
	for i, s := range sums {
		x := set.vector()
		VCVTPS2PD(Mem{Base: at, Disp: i * half}, x)
		VMULPD(factor, x, x)
		VADDPD(x, s, s)
	}
	ADDQ(row, at)
	ADDQ(Imm(8), share)
	DECQ(left)
	JNZ(LabelRef("row"))
	for i, s := range sums {
		VMOVUPD(s, Mem{Base: sum, Disp: i * set.bytes})
	}
	ADDQ(Imm(64), v)
	ADDQ(U32(128), sum)
	DECQ(n)
	JNZ(LabelRef("block"))
	finish()
}
