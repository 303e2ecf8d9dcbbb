package safetensors

import (
	"encoding/binary"
	"math"

	"github.com/accord-fl/accord/internal/fault"
)

// blockBytes bounds the buffer of one read; a multiple of every element size.
const blockBytes = 1 << 16

// ReadFloat32 reads the elements [off, off+len(dst)) of t, counted in row-major
// order, into dst, converted to float32: F64 and wide integers are rounded to
// nearest (F64 beyond float32's range becomes infinite), BOOL gives 0 and 1.
// NaN and infinities are passed on. t must be one of the file's tensors, or have
// the type of one, its Begin, and the End of a later one, with tensors of that
// type alone between them; off counts from t's Begin.
func (f *File) ReadFloat32(dst []float32, t Info, off int64) error {
	if t.DType == F32 && littleEndian {
		pos, err := f.place(len(dst), t, off)
		if err != nil {
			return err
		}
		return readAt(f.r, bytesOf(dst), pos) // without a detour
	}
	return f.readBlocks(len(dst), t, off, func(at int, block []byte) {
		toFloat32(dst[at:at+len(block)/t.DType.Size()], block, t.DType)
	})
}

// ReadInt64 reads the elements [off, off+len(dst)) of t, which must hold
// integers, into dst. t must be one of the file's tensors.
func (f *File) ReadInt64(dst []int64, t Info, off int64) error {
	if !t.DType.IsInteger() {
		return fault.Inputf("safetensors: tensor %q holds %s, want integers", t.Name, t.DType)
	}
	return f.readBlocks(len(dst), t, off, func(at int, block []byte) {
		toInt64(dst[at:at+len(block)/t.DType.Size()], block, t.DType)
	})
}

// readBlocks reads n elements of t from element off on, block by block; at is
// the block's first element, counted from off.
func (f *File) readBlocks(n int, t Info, off int64, each func(at int, block []byte)) error {
	pos, err := f.place(n, t, off)
	if err != nil {
		return err
	}
	size := int64(t.DType.Size())
	buf := make([]byte, min(int64(n)*size, blockBytes))
	for at := 0; at < n; {
		block := buf[:min(int64(len(buf)), int64(n-at)*size)]
		if err := readAt(f.r, block, pos); err != nil {
			return err
		}
		each(at, block)
		pos += int64(len(block))
		at += len(block) / int(size)
	}
	return nil
}

// place returns where in the file the n elements of t from off on lie.
func (f *File) place(n int, t Info, off int64) (int64, error) {
	size := int64(t.DType.Size())
	if size == 0 || t.Begin < 0 || t.End < t.Begin || t.End > f.size {
		return 0, fault.Inputf("safetensors: tensor %q is not of this file", t.Name)
	}
	if have := (t.End - t.Begin) / size; off < 0 || off > have || int64(n) > have-off {
		return 0, fault.Inputf("safetensors: tensor %q has %d elements, elements [%d, %d+%d) asked for", t.Name, have, off, off, n)
	}
	return f.data + t.Begin + off*size, nil
}

// toFloat32 converts the little-endian elements in src; len(src) is
// len(dst)·d.Size().
func toFloat32(dst []float32, src []byte, d DType) {
	le := binary.LittleEndian
	switch d {
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(le.Uint64(src[8*i:])))
		}
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(src[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = Float16(le.Uint16(src[2*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(le.Uint16(src[2*i:])) << 16)
		}
	case I64:
		for i := range dst {
			dst[i] = float32(int64(le.Uint64(src[8*i:])))
		}
	case I32:
		for i := range dst {
			dst[i] = float32(int32(le.Uint32(src[4*i:])))
		}
	case U32:
		for i := range dst {
			dst[i] = float32(le.Uint32(src[4*i:]))
		}
	case I8:
		for i := range dst {
			dst[i] = float32(int8(src[i]))
		}
	case U8:
		for i := range dst {
			dst[i] = float32(src[i])
		}
	case BOOL:
		for i := range dst {
			dst[i] = 0
			if src[i] != 0 {
				dst[i] = 1
			}
		}
	}
}

// toInt64 converts little-endian integers; len(src) is len(dst)·d.Size().
func toInt64(dst []int64, src []byte, d DType) {
	le := binary.LittleEndian
	switch d {
	case I64:
		for i := range dst {
			dst[i] = int64(le.Uint64(src[8*i:]))
		}
	case I32:
		for i := range dst {
			dst[i] = int64(int32(le.Uint32(src[4*i:])))
		}
	case U32:
		for i := range dst {
			dst[i] = int64(le.Uint32(src[4*i:]))
		}
	case I8:
		for i := range dst {
			dst[i] = int64(int8(src[i]))
		}
	case U8:
		for i := range dst {
			dst[i] = int64(src[i])
		}
	}
}

// Float16 returns the value of an IEEE 754 binary16 number: 1 sign bit, 5
// exponent bits with bias 15, 10 fraction bits. Every value is exact in float32.
func Float16(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp := uint32(h>>10) & 0x1f
	frac := uint32(h) & 0x3ff
	switch exp {
	case 0: // zero or subnormal: frac · 2⁻²⁴
		v := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 0x1f: // infinity or NaN; the payload is kept
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}
