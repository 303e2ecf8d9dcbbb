package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Predicates of VCMPPS.
const (
	isUnordered    = 0x03
	isNotLessEqual = 0x06 // greater, or one is NaN
	isNotLess      = 0x05 // as large, or one is NaN
	isLessEqual    = 0x02
)

// Predicates of VPCMPD.
const (
	intEqual    = 0
	intNotEqual = 4
	intLessThan = 1
)

// mask tells lanes apart: a mask register of AVX-512, or a vector of AVX2 with
// all bits of a lane set or none.
type mask struct {
	k reg.OpmaskVirtual
	v reg.VecVirtual
}

func (set isa) wide() bool { return set.bytes == 64 }

// compare gives the lanes where a and b are in the relation.
func (set isa) compare(relation uint64, a, b reg.VecVirtual) mask {
	if set.wide() {
		m := mask{k: K()}
		VCMPPS(Imm(relation), b, a, m.k)
		return m
	}
	m := mask{v: set.vector()}
	VCMPPS(Imm(relation), b, a, m.v)
	return m
}

// same gives the lanes where two vectors of int32 are equal.
func (set isa) same(a, b reg.VecVirtual) mask {
	if set.wide() {
		m := mask{k: K()}
		VPCMPD(Imm(intEqual), b, a, m.k)
		return m
	}
	m := mask{v: set.vector()}
	VPCMPEQD(b, a, m.v)
	return m
}

// include adds the lanes of other to m.
func (set isa) include(m, other mask) {
	if set.wide() {
		KORW(other.k, m.k, m.k)
	} else {
		VORPS(other.v, m.v, m.v)
	}
}

// put replaces the lanes of m in dst by those of v.
func (set isa) put(m mask, v, dst reg.VecVirtual) {
	if set.wide() {
		VMOVAPS(v, m.k, dst)
	} else {
		VBLENDVPS(m.v, v, dst, dst)
	}
}

// keep returns v with zeros outside of m.
func (set isa) keep(m mask, v reg.VecVirtual) reg.VecVirtual {
	kept := set.vector()
	if set.wide() {
		VMOVAPS_Z(v, m.k, kept)
	} else {
		VANDPS(v, m.v, kept)
	}
	return kept
}

// lanes is the number of floats in a vector.
func (set isa) lanes() int { return set.bytes / 4 }

// integers fills a vector with one int32.
func (set isa) integers(v uint32) reg.VecVirtual {
	r, x, all := GP32(), XMM(), set.vector()
	MOVL(U32(v), r)
	VMOVD(r, x)
	VPBROADCASTD(x, all)
	return all
}

// loadBytes reads bytes as int32.
func (set isa) loadBytes(from reg.GPVirtual) reg.VecVirtual {
	v := set.vector()
	VPMOVZXBD(Mem{Base: from}, v)
	return v
}

// storeBytes writes int32 below 256 as bytes.
func (set isa) storeBytes(v reg.VecVirtual, to reg.GPVirtual) {
	if set.wide() {
		VPMOVDB(v, Mem{Base: to})
		return
	}
	low, high := XMM(), XMM()
	VEXTRACTI128(Imm(0), v, low)
	VEXTRACTI128(Imm(1), v, high)
	VPACKUSDW(high, low, low)
	VPACKUSWB(low, low, low)
	MOVQ(low, Mem{Base: to})
}
