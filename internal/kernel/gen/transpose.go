package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// transpose turns a block of 8×8 elements; rows are ss and ds bytes apart.
func transpose() {
	function("transpose8AVX2", "func(dst *float32, ds int, src *float32, ss int)")
	dst, ds, src, ss := param("dst"), param("ds"), param("src"), param("ss")
	rows, pairs, quads := octet(), octet(), octet()
	for _, r := range rows {
		VMOVUPS(Mem{Base: src}, r)
		ADDQ(ss, src)
	}
	for i := 0; i < 8; i += 2 {
		VUNPCKLPS(rows[i+1], rows[i], pairs[i])
		VUNPCKHPS(rows[i+1], rows[i], pairs[i+1])
	}
	for i := 0; i < 8; i += 4 {
		VUNPCKLPD(pairs[i+2], pairs[i], quads[i])
		VUNPCKHPD(pairs[i+2], pairs[i], quads[i+1])
		VUNPCKLPD(pairs[i+3], pairs[i+1], quads[i+2])
		VUNPCKHPD(pairs[i+3], pairs[i+1], quads[i+3])
	}
	for _, half := range []uint64{0x20, 0x31} {
		for i := range 4 {
			v := YMM()
			VPERM2F128(Imm(half), quads[i+4], quads[i], v)
			VMOVUPS(v, Mem{Base: dst})
			ADDQ(ds, dst)
		}
	}
	finish()
}
