package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lane is one vector of 8 floats.
const lane = 32

// octet is eight vectors.
func octet() []reg.VecVirtual {
	all := make([]reg.VecVirtual, 8)
	for i := range all {
		all[i] = YMM()
	}
	return all
}

// loop repeats body, which handles one vector, n times; each of the pointers
// then moves by a vector.
func loop(n reg.GPVirtual, pointers []reg.GPVirtual, body func()) {
	TESTQ(n, n)
	JZ(LabelRef("end"))
	Label("loop")
	body()
	for _, p := range pointers {
		ADDQ(Imm(lane), p)
	}
	DECQ(n)
	JNZ(LabelRef("loop"))
	Label("end")
}

// elementwise makes passes over rows of cols vectors, or over flat vectors.
func elementwise() {
	addBias()
	floorGrad()
	addScaled()
	fromBytes()
	sum()
}

// addBias computes y = max(y + bias, floor) on rows; a NaN floor is none, since
// VMAXPS gives its second operand when one is NaN.
func addBias() {
	function("addBiasAVX2", "func(y *float32, rows, cols int, bias *float32, floor float32)")
	y, rows, cols, bias := param("y"), param("rows"), param("cols"), param("bias")
	floor := YMM()
	VBROADCASTSS(argument("floor"), floor)
	// Lanes columns at a time, whose bias stays in registers.
	row, left, at := GP64(), GP64(), GP64()
	MOVQ(cols, row)
	SHLQ(Imm(5), row) // bytes
	biases := []reg.VecVirtual{YMM(), YMM()}
	Label("col")
	for i, b := range biases {
		VMOVUPS(Mem{Base: bias, Disp: i * lane}, b)
	}
	MOVQ(y, at)
	MOVQ(rows, left)
	Label("row")
	for i, b := range biases {
		v := YMM()
		VADDPS(Mem{Base: at, Disp: i * lane}, b, v)
		VMAXPS(v, floor, v)
		VMOVUPS(v, Mem{Base: at, Disp: i * lane})
	}
	ADDQ(row, at)
	DECQ(left)
	JNZ(LabelRef("row"))
	ADDQ(Imm(2*lane), y)
	ADDQ(Imm(2*lane), bias)
	SUBQ(Imm(2), cols)
	JNZ(LabelRef("col"))
	finish()
}

// floorGrad computes d = d where y > floor or one of both is NaN, else 0, and
// adds the rows of d to sum.
func floorGrad() {
	function("floorGradAVX2", "func(d, y *float32, rows, cols int, sum *float32, floor float32)")
	d, y, rows, cols, sum := param("d"), param("y"), param("rows"), param("cols"), param("sum")
	floor := YMM()
	VBROADCASTSS(argument("floor"), floor)
	// Lanes columns at a time, whose sums stay in registers.
	row, left, atD, atY := GP64(), GP64(), GP64(), GP64()
	MOVQ(cols, row)
	SHLQ(Imm(5), row) // bytes
	sums := []reg.VecVirtual{YMM(), YMM()}
	Label("col")
	for i, s := range sums {
		VMOVUPS(Mem{Base: sum, Disp: i * lane}, s)
	}
	MOVQ(d, atD)
	MOVQ(y, atY)
	MOVQ(rows, left)
	Label("row")
	for i, s := range sums {
		v, live := YMM(), YMM()
		VMOVUPS(Mem{Base: atY, Disp: i * lane}, v)
		VCMPPS(Imm(isNotLessEqual), floor, v, live)
		VANDPS(Mem{Base: atD, Disp: i * lane}, live, v)
		VMOVUPS(v, Mem{Base: atD, Disp: i * lane})
		VADDPS(v, s, s)
	}
	ADDQ(row, atD)
	ADDQ(row, atY)
	DECQ(left)
	JNZ(LabelRef("row"))
	for i, s := range sums {
		VMOVUPS(s, Mem{Base: sum, Disp: i * lane})
	}
	for _, pointer := range []reg.GPVirtual{d, y, sum} {
		ADDQ(Imm(2*lane), pointer)
	}
	SUBQ(Imm(2), cols)
	JNZ(LabelRef("col"))
	finish()
}

// addScaled computes dst += a·s.
func addScaled() {
	function("addScaledAVX2", "func(n int, dst, s *float32, a float32)")
	n, dst, s, a := param("n"), param("dst"), param("s"), constant("a")
	loop(n, []reg.GPVirtual{dst, s}, func() {
		v := YMM()
		VMOVUPS(Mem{Base: dst}, v)
		VFMADD231PS(Mem{Base: s}, a, v)
		VMOVUPS(v, Mem{Base: dst})
	})
	finish()
}

// fromBytes computes dst = src/255.
func fromBytes() {
	function("fromBytesAVX2", "func(n int, dst *float32, src *uint8)")
	n, dst, src := param("n"), param("dst"), param("src")
	divisor := avx2.integers(math.MaxUint8)
	VCVTDQ2PS(divisor, divisor)
	loop(n, []reg.GPVirtual{dst}, func() {
		v := YMM()
		VPMOVZXBD(Mem{Base: src}, v)
		VCVTDQ2PS(v, v)
		VDIVPS(divisor, v, v)
		VMOVUPS(v, Mem{Base: dst})
		ADDQ(Imm(8), src)
	})
	finish()
}

// sum adds up n times 64 floats into 8 lanes.
func sum() {
	function("sumAVX2", "func(n int, v *float32, lanes *float32)")
	n, v, lanes := param("n"), param("v"), param("lanes")
	sums := octet()
	for _, s := range sums {
		VXORPS(s, s, s)
	}
	Label("loop")
	for i, s := range sums {
		VADDPS(Mem{Base: v, Disp: i * lane}, s, s)
	}
	ADDQ(U32(8*lane), v)
	DECQ(n)
	JNZ(LabelRef("loop"))
	for _, s := range sums[1:] {
		VADDPS(s, sums[0], sums[0])
	}
	VMOVUPS(sums[0], Mem{Base: lanes})
	finish()
}
