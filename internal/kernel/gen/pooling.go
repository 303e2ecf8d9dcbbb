package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func pooling(set isa) {
	maxPool(set)
	maxPool4(set)
	unpool(set, "unpool", false)
	unpool(set, "unpoolAdd", true)
	dropDead(set)
}

// eachTap repeats body for every tap, with its number in all lanes and where its
// channels start in the window at z.
func eachTap(set isa, z, at, taps reg.GPVirtual, body func(number reg.VecVirtual, from Mem)) {
	left, off, number, one := GP64(), GP64(), set.vector(), set.integers(1)
	tap := GP64()
	MOVQ(taps, tap)
	MOVQ(argument("ntaps"), left)
	set.zero(number)
	Label("tap")
	MOVLQSX(Mem{Base: tap}, off)
	LEAQ(Mem{Base: z, Index: off, Scale: 4}, off)
	body(number, Mem{Base: off, Index: at, Scale: 1})
	VPADDD(one, number, number)
	ADDQ(Imm(4), tap)
	DECQ(left)
	JNZ(LabelRef("tap"))
}

// eachCell repeats body for every vector of channels of every cell; at is where
// in the channels it is, in bytes. z and more move from cell to cell.
func eachCell(set isa, z, step reg.GPVirtual, body func(at reg.GPVirtual), more ...reg.GPVirtual) {
	at, end := GP64(), GP64()
	Label("cell")
	XORQ(at, at)
	Label("channels")
	body(at)
	ADDQ(U32(uint32(set.bytes)), at)
	MOVQ(argument("channels"), end)
	SHLQ(Imm(2), end)
	CMPQ(at, end)
	JNE(LabelRef("channels"))
	for _, p := range append(more, z) {
		ADDQ(step, p)
	}
	DECQ(argument("cells"))
	JNZ(LabelRef("cell"))
	finish()
}

// maxPool computes, for each cell and channel, the largest of
// z[cell·step + taps[t]], adds the bias, and applies the floor. arg becomes the
// first t that is largest, or 255 where the floor is not exceeded. step is in
// bytes, taps count elements.
func maxPool(set isa) {
	startMaxPool(set, "maxPool")
	y, arg, z, step, taps, bias := param("y"), param("arg"), param("z"), param("step"), param("taps"), param("bias")
	lowest, finishCell := set.integers(0xFF800000), endMaxPool(set, y, arg, bias)
	eachCell(set, z, step, func(at reg.GPVirtual) {
		best, where := set.vector(), set.vector()
		VMOVAPS(lowest, best)
		set.zero(where)
		nan := set.compare(isUnordered, best, best)
		eachTap(set, z, at, taps, func(number reg.VecVirtual, from Mem) {
			v := set.vector()
			VMOVUPS(from, v)
			set.include(nan, set.compare(isUnordered, v, v))
			more := set.compare(isNotLessEqual, v, best)
			set.put(more, v, best)
			set.put(more, number, where)
		})
		finishCell(at, best, where, nan)
	})
}

// maxPool4 is maxPool for 4 taps, without a loop over them.
func maxPool4(set isa) {
	startMaxPool(set, "maxPool4")
	y, arg, z, step, taps, bias := param("y"), param("arg"), param("z"), param("step"), param("taps"), param("bias")
	finishCell := endMaxPool(set, y, arg, bias)
	offsets, numbers := make([]reg.GPVirtual, 4), make([]reg.VecVirtual, 4)
	for t := range offsets {
		offsets[t], numbers[t] = GP64(), set.integers(uint32(t))
		MOVLQSX(Mem{Base: taps, Disp: 4 * t}, offsets[t])
		SHLQ(Imm(2), offsets[t])
		ADDQ(z, offsets[t])
	}
	eachCell(set, z, step, func(at reg.GPVirtual) {
		v := make([]reg.VecVirtual, 4)
		for t := range v {
			v[t] = set.vector()
			VMOVUPS(Mem{Base: offsets[t], Index: at, Scale: 1}, v[t])
		}
		nan := set.compare(isUnordered, v[0], v[1])
		set.include(nan, set.compare(isUnordered, v[2], v[3]))
		// The larger of two pairs, and of those.
		right, left := set.vector(), set.vector()
		set.zero(left)
		VMOVAPS(numbers[2], right)
		higher := set.compare(isNotLessEqual, v[1], v[0])
		set.put(higher, v[1], v[0])
		set.put(higher, numbers[1], left)
		higher = set.compare(isNotLessEqual, v[3], v[2])
		set.put(higher, v[3], v[2])
		set.put(higher, numbers[3], right)
		higher = set.compare(isNotLessEqual, v[2], v[0])
		set.put(higher, v[2], v[0])
		set.put(higher, right, left)
		finishCell(at, v[0], left, nan)
	}, offsets...)
}

func startMaxPool(set isa, name string) {
	function(name+set.suffix, "func(y *float32, arg *uint8, cells int, z *float32, step int, taps *int32, ntaps, channels int, bias *float32, floor float32)")
}

// endMaxPool prepares what stores the result of one vector of channels.
func endMaxPool(set isa, y, arg, bias reg.GPVirtual) func(at reg.GPVirtual, best, where reg.VecVirtual, nan mask) {
	floor, dead, bad := set.vector(), set.integers(math.MaxUint8), set.integers(0x7FC00000)
	VBROADCASTSS(argument("floor"), floor)
	return func(at reg.GPVirtual, best, where reg.VecVirtual, nan mask) {
		set.put(nan, bad, best)
		VADDPS(Mem{Base: bias, Index: at, Scale: 1}, best, best)
		none := set.compare(isLessEqual, best, floor)
		VMAXPS(best, floor, best) // which gives the second when one is NaN
		set.put(none, dead, where)
		VMOVUPS(best, Mem{Base: y})
		set.storeBytes(where, arg)
		ADDQ(U32(uint32(set.bytes)), y)
		ADDQ(Imm(uint64(set.lanes())), arg)
	}
}

// unpool writes, for each cell, channel and tap t, dy where arg is t and zero
// elsewhere to z[cell·step + taps[t]], or adds it.
func unpool(set isa, name string, add bool) {
	function(name+set.suffix, "func(z *float32, step int, dy *float32, arg *uint8, cells int, taps *int32, ntaps, channels int)")
	z, step, dy, arg, taps := param("z"), param("step"), param("dy"), param("arg"), param("taps")
	eachCell(set, z, step, func(at reg.GPVirtual) {
		d, where := set.vector(), set.loadBytes(arg)
		VMOVUPS(Mem{Base: dy}, d)
		eachTap(set, z, at, taps, func(number reg.VecVirtual, to Mem) {
			v := set.keep(set.same(number, where), d)
			if add {
				VADDPS(to, v, v)
			}
			VMOVUPS(v, to)
		})
		ADDQ(U32(uint32(set.bytes)), dy)
		ADDQ(Imm(uint64(set.lanes())), arg)
	})
}

// dropDead computes d = 0 where arg is 255, and adds the rows of d to sum. cols
// counts elements.
func dropDead(set isa) {
	function("dropDead"+set.suffix, "func(d *float32, arg *uint8, rows, cols int, sum *float32)")
	d, arg, rows, sum := param("d"), param("arg"), param("rows"), param("sum")
	dead, at, left := set.integers(math.MaxUint8), GP64(), GP64()
	Label("row")
	MOVQ(sum, at)
	MOVQ(argument("cols"), left)
	Label("col")
	v, zero := set.vector(), set.vector()
	VMOVUPS(Mem{Base: d}, v)
	set.zero(zero)
	set.put(set.same(dead, set.loadBytes(arg)), zero, v)
	VMOVUPS(v, Mem{Base: d})
	VADDPS(Mem{Base: at}, v, v)
	VMOVUPS(v, Mem{Base: at})
	ADDQ(U32(uint32(set.bytes)), d)
	ADDQ(Imm(uint64(set.lanes())), arg)
	ADDQ(U32(uint32(set.bytes)), at)
	SUBQ(Imm(uint64(set.lanes())), left)
	JNZ(LabelRef("col"))
	DECQ(rows)
	JNZ(LabelRef("row"))
	finish()
}
