package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func pooling() {
	maxPool()
	unpool("unpoolAVX2", false)
	unpool("unpoolAddAVX2", true)
	dropDead()
}

// integer fills a vector with one int32.
func integer(v uint32) reg.VecVirtual {
	r, x, y := GP32(), XMM(), YMM()
	MOVL(U32(v), r)
	VMOVD(r, x)
	VPBROADCASTD(x, y)
	return y
}

// maxPool computes, for each cell and channel, the largest of
// z[cell·step + taps[t]], adds the bias, and applies the floor. arg becomes the
// first t that is largest, or 255 where the floor is not exceeded. Channels
// count vectors, step bytes and taps elements.
func maxPool() {
	function("maxPoolAVX2", "func(y *float32, arg *uint8, cells int, z *float32, step int, taps *int32, ntaps, channels int, bias *float32, floor float32)")
	y, arg, cells, z, step := param("y"), param("arg"), param("cells"), param("z"), param("step")
	taps, bias := param("taps"), param("bias")
	floor, one, dead := YMM(), integer(1), integer(math.MaxUint8)
	VBROADCASTSS(argument("floor"), floor)
	at, left, tap, off := GP64(), GP64(), GP64(), GP64()
	nan, best, where, number := YMM(), YMM(), YMM(), YMM()

	Label("cell")
	XORQ(at, at) // bytes into the channels
	Label("channels")
	MOVQ(taps, tap)
	MOVQ(argument("ntaps"), left)
	MOVLQSX(Mem{Base: tap}, off)
	LEAQ(Mem{Base: z, Index: off, Scale: 4}, off)
	VMOVUPS(Mem{Base: off, Index: at, Scale: 1}, best)
	VCMPPS(Imm(isUnordered), best, best, nan)
	VPXOR(where, where, where)
	VPXOR(number, number, number)
	DECQ(left)
	JZ(LabelRef("done"))
	Label("tap")
	ADDQ(Imm(4), tap)
	MOVLQSX(Mem{Base: tap}, off)
	LEAQ(Mem{Base: z, Index: off, Scale: 4}, off)
	VPADDD(one, number, number)
	v, more, bad := YMM(), YMM(), YMM()
	VMOVUPS(Mem{Base: off, Index: at, Scale: 1}, v)
	VCMPPS(Imm(isUnordered), v, v, bad)
	VORPS(bad, nan, nan)
	VCMPPS(Imm(isNotLessEqual), best, v, more)
	VBLENDVPS(more, v, best, best)
	VBLENDVPS(more, number, where, where)
	DECQ(left)
	JNZ(LabelRef("tap"))
	Label("done")
	VORPS(nan, best, best) // all bits set are a NaN
	VADDPS(Mem{Base: bias, Index: at, Scale: 1}, best, best)
	none := YMM()
	VCMPPS(Imm(isLessEqual), floor, best, none)
	VMAXPS(best, floor, best)
	VBLENDVPS(none, dead, where, where)
	VMOVUPS(best, Mem{Base: y})
	ADDQ(Imm(lane), y)
	storeBytes(where, arg)
	ADDQ(Imm(8), arg)
	ADDQ(Imm(lane), at)
	MOVQ(argument("channels"), left)
	SHLQ(Imm(5), left)
	CMPQ(at, left)
	JNE(LabelRef("channels"))
	ADDQ(step, z)
	DECQ(cells)
	JNZ(LabelRef("cell"))
	finish()
}

// storeBytes writes eight int32 below 256 as bytes.
func storeBytes(v reg.VecVirtual, to reg.GPVirtual) {
	low, high := XMM(), XMM()
	VEXTRACTI128(Imm(0), v, low)
	VEXTRACTI128(Imm(1), v, high)
	VPACKUSDW(high, low, low)
	VPACKUSWB(low, low, low)
	MOVQ(low, Mem{Base: to})
}

// unpool writes, for each cell, channel and tap t, dy where arg is t and zero
// elsewhere to z[cell·step + taps[t]], or adds it.
func unpool(name string, add bool) {
	function(name, "func(z *float32, step int, dy *float32, arg *uint8, cells int, taps *int32, ntaps, channels int)")
	z, step, dy, arg, cells, taps := param("z"), param("step"), param("dy"), param("arg"), param("cells"), param("taps")
	one := integer(1)
	at, left, tap, off := GP64(), GP64(), GP64(), GP64()
	Label("cell")
	XORQ(at, at)
	Label("channels")
	d, where, number := YMM(), YMM(), YMM()
	VMOVUPS(Mem{Base: dy}, d)
	VPMOVZXBD(Mem{Base: arg}, where)
	VPXOR(number, number, number)
	MOVQ(taps, tap)
	MOVQ(argument("ntaps"), left)
	Label("tap")
	MOVLQSX(Mem{Base: tap}, off)
	LEAQ(Mem{Base: z, Index: off, Scale: 4}, off)
	v := YMM()
	VPCMPEQD(number, where, v)
	VANDPS(d, v, v)
	if add {
		VADDPS(Mem{Base: off, Index: at, Scale: 1}, v, v)
	}
	VMOVUPS(v, Mem{Base: off, Index: at, Scale: 1})
	VPADDD(one, number, number)
	ADDQ(Imm(4), tap)
	DECQ(left)
	JNZ(LabelRef("tap"))
	ADDQ(Imm(lane), dy)
	ADDQ(Imm(8), arg)
	ADDQ(Imm(lane), at)
	MOVQ(argument("channels"), left)
	SHLQ(Imm(5), left)
	CMPQ(at, left)
	JNE(LabelRef("channels"))
	ADDQ(step, z)
	DECQ(cells)
	JNZ(LabelRef("cell"))
	finish()
}

// dropDead computes d = 0 where arg is 255, and adds the rows of d to sum.
func dropDead() {
	function("dropDeadAVX2", "func(d *float32, arg *uint8, rows, cols int, sum *float32)")
	d, arg, rows, cols, sum := param("d"), param("arg"), param("rows"), param("cols"), param("sum")
	dead := integer(math.MaxUint8)
	at, left := GP64(), GP64()
	Label("row")
	MOVQ(sum, at)
	MOVQ(cols, left)
	Label("col")
	v := YMM()
	VPMOVZXBD(Mem{Base: arg}, v)
	VPCMPEQD(dead, v, v)
	VANDNPS(Mem{Base: d}, v, v)
	VMOVUPS(v, Mem{Base: d})
	VADDPS(Mem{Base: at}, v, v)
	VMOVUPS(v, Mem{Base: at})
	ADDQ(Imm(lane), d)
	ADDQ(Imm(8), arg)
	ADDQ(Imm(lane), at)
	DECQ(left)
	JNZ(LabelRef("col"))
	DECQ(rows)
	JNZ(LabelRef("row"))
	finish()
}
