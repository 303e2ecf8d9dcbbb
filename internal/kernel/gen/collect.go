package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// append16 appends the lanes of v and off that k names to the list that starts
// at element begin and has n terms. It writes 16 lanes whatever k is.
func append16(k reg.OpmaskVirtual, v, off reg.VecVirtual, values, offs, begin, n reg.GPVirtual) {
	end, packed := GP64(), ZMM()
	LEAQ(Mem{Base: begin, Index: n, Scale: 1}, end)
	VCOMPRESSPS_Z(v, k, packed)
	VMOVUPS(packed, Mem{Base: values, Index: end, Scale: 4})
	VPCOMPRESSD_Z(off, k, packed)
	VMOVDQU32(packed, Mem{Base: offs, Index: end, Scale: 4})
	count := GP32()
	KMOVW(k, count)
	POPCNTL(count, count)
	ADDQ(count.As64(), n)
}

func collect() {
	collectPositions()
	collectRows()
}

// collectPositions appends, for each cell and channel, dy with rows[channel] to
// the list of the position that arg names among the cell's positions. To trace
// goes the cell's source of that tap, or −1 where arg is 255. A cell has ntaps
// positions and sources, at most 16; width counts vectors, of the last of which
// only the lanes of tail are channels.
func collectPositions() {
	function("collectPositionsAVX512", "func(cells, width, tail int, dy *float32, arg *uint8, rows, positions, sources *int32, ntaps int, trace *int32, v *float32, offs *int32, room int, counts *int32)")
	dy, arg, positions, trace := param("dy"), param("arg"), param("positions"), param("trace")
	values, offs, counts := param("v"), param("offs"), param("counts")
	dead, none, one := avx512.integers(math.MaxUint8), avx512.integers(math.MaxUint32), avx512.integers(1)
	left, row, tap, position, n, begin := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	Label("cell")
	sources := ZMM()
	MOVQ(argument("sources"), row)
	VMOVDQU32(Mem{Base: row}, sources)
	MOVQ(argument("rows"), row)
	MOVQ(argument("width"), left)
	Label("chunk")
	valid, tail := K(), GP64()
	MOVQ(U32(math.MaxUint16), tail)
	CMPQ(left, Imm(1))
	JNE(LabelRef("whole"))
	MOVQ(argument("tail"), tail)
	Label("whole")
	KMOVW(tail.As32(), valid)
	d, where, off, from, number := ZMM(), ZMM(), ZMM(), ZMM(), ZMM()
	VMOVUPS(Mem{Base: dy}, d)
	VPMOVZXBD(Mem{Base: arg}, where)
	VMOVDQU32(Mem{Base: row}, off)
	live := K()
	VPCMPD(Imm(intNotEqual), dead, where, valid, live)
	VPERMD(sources, where, from)
	picked := ZMM()
	VMOVDQA32(none, picked)
	VMOVDQA32(from, live, picked)
	VMOVDQU32(picked, Mem{Base: trace})
	VPXORD(number, number, number)
	XORQ(tap, tap)
	Label("tap")
	k := K()
	VPCMPD(Imm(intEqual), number, where, valid, k)
	MOVLQSX(Mem{Base: positions, Index: tap, Scale: 4}, position)
	MOVLQSX(Mem{Base: counts, Index: position, Scale: 4}, n)
	MOVQ(argument("room"), begin)
	IMULQ(position, begin)
	append16(k, d, off, values, offs, begin, n)
	MOVL(n.As32(), Mem{Base: counts, Index: position, Scale: 4})
	VPADDD(one, number, number)
	INCQ(tap)
	CMPQ(tap, argument("ntaps"))
	JNE(LabelRef("tap"))
	ADDQ(Imm(64), dy)
	ADDQ(Imm(16), arg)
	ADDQ(Imm(64), row)
	ADDQ(Imm(64), trace)
	DECQ(left)
	JNZ(LabelRef("chunk"))
	MOVQ(argument("ntaps"), tap)
	LEAQ(Mem{Base: positions, Index: tap, Scale: 4}, positions)
	SHLQ(Imm(2), tap)
	ADDQ(tap, argument("sources"))
	DECQ(argument("cells"))
	JNZ(LabelRef("cell"))
	finish()
}

// collectRows fills each list with the elements of a row whose offset is not
// negative. Rows are width vectors; lists lie room elements apart.
func collectRows() {
	function("collectRowsAVX512", "func(lists, width int, dy *float32, from *int32, v *float32, offs *int32, room int, counts *int32)")
	lists, dy, from := param("lists"), param("dy"), param("from")
	values, offs, room, counts := param("v"), param("offs"), param("room"), param("counts")
	none := avx512.integers(math.MaxUint32)
	begin, n, left := GP64(), GP64(), GP64()
	XORQ(begin, begin)
	Label("list")
	XORQ(n, n)
	MOVQ(argument("width"), left)
	Label("chunk")
	d, off, k := ZMM(), ZMM(), K()
	VMOVUPS(Mem{Base: dy}, d)
	VMOVDQU32(Mem{Base: from}, off)
	VPCMPD(Imm(intLessThan), off, none, k) // −1 < off
	append16(k, d, off, values, offs, begin, n)
	ADDQ(Imm(64), dy)
	ADDQ(Imm(64), from)
	DECQ(left)
	JNZ(LabelRef("chunk"))
	MOVL(n.As32(), Mem{Base: counts})
	ADDQ(Imm(4), counts)
	ADDQ(room, begin)
	DECQ(lists)
	JNZ(LabelRef("list"))
	finish()
}
