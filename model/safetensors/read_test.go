package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/fault"
)

func TestReadConvertsEveryType(t *testing.T) {
	le := binary.LittleEndian
	f64 := func(v ...float64) (b []byte) {
		for _, x := range v {
			b = le.AppendUint64(b, math.Float64bits(x))
		}
		return b
	}
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		dtype  DType
		data   []byte
		floats []float32
		ints   []int64 // nil: not an integer type
	}{
		{F64, f64(0.1, -2, 1e300, 1e-300), []float32{0.1, -2, inf, 0}, nil},
		{F32, le.AppendUint32(nil, math.Float32bits(0.1)), []float32{0.1}, nil},
		// one, least subnormal, greatest subnormal, least normal, greatest, -0.5, infinity
		{F16, []byte{0x00, 0x3c, 0x01, 0x00, 0xff, 0x03, 0x00, 0x04, 0xff, 0x7b, 0x00, 0xb8, 0x00, 0x7c},
			[]float32{1, 0x1p-24, 1023 * 0x1p-24, 0x1p-14, 65504, -0.5, inf}, nil},
		{BF16, []byte{0x80, 0x3f, 0x00, 0xc0}, []float32{1, -2}, nil},
		{I64, le.AppendUint64(le.AppendUint64(nil, math.MaxUint64), 1<<40), []float32{-1, 1 << 40}, []int64{-1, 1 << 40}},
		{I32, le.AppendUint32(nil, 0xfffffffe), []float32{-2}, []int64{-2}},
		{U32, le.AppendUint32(nil, 0xfffffffe), []float32{4294967294}, []int64{4294967294}},
		{I8, []byte{0x80, 0x7f}, []float32{-128, 127}, []int64{-128, 127}},
		{U8, []byte{0x80, 0x7f}, []float32{128, 127}, []int64{128, 127}},
		{BOOL, []byte{0, 1}, []float32{0, 1}, nil},
	} {
		t.Run(c.dtype.String(), func(t *testing.T) {
			f := reopen(t, []Info{{Name: "t", DType: c.dtype, Shape: []int{len(c.floats)}}}, c.data)
			info, _ := f.Lookup("t")
			floats := make([]float32, info.Len())
			if err := f.ReadFloat32(floats, info, 0); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.floats, floats); diff != "" {
				t.Errorf("floats (-want +got):\n%s", diff)
			}
			ints := make([]int64, info.Len())
			err := f.ReadInt64(ints, info, 0)
			if c.ints == nil {
				if !errors.Is(err, fault.Input) {
					t.Errorf("reading integers: got error %v, want one of class Input", err)
				}
				return
			}
			if diff := cmp.Diff(c.ints, ints); err != nil || diff != "" {
				t.Errorf("integers, error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestHalfNaNStaysNaN(t *testing.T) {
	if v := Float16(0x7e01); !math.IsNaN(float64(v)) {
		t.Errorf("got %v, want NaN", v)
	}
	if got := math.Float32bits(Float16(0x8000)); got != 1<<31 {
		t.Errorf("minus zero: got bits %#x", got)
	}
}

// A tensor of several blocks, read at odd places.
func TestReadAcrossBlocks(t *testing.T) {
	const n = 3*blockBytes/4 + 5
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(i)
	}
	var b bytes.Buffer
	w, err := NewWriter(&b, []Info{{Name: "pad", DType: U8, Shape: []int{3}}, {Name: "t", DType: F32, Shape: []int{n}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.WriteFloat32(values[:7]), w.WriteFloat32(values[7:]), w.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	info, _ := f.Lookup("t")
	for _, span := range [][2]int{{0, n}, {1, n}, {n, n}, {blockBytes/4 - 1, blockBytes/4 + 1}} {
		got := make([]float32, span[1]-span[0])
		if err := f.ReadFloat32(got, info, int64(span[0])); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(values[span[0]:span[1]], got); diff != "" {
			t.Errorf("elements %v (-want +got):\n%s", span, diff)
		}
	}
}

func TestReadChecksBounds(t *testing.T) {
	f := reopen(t, []Info{{Name: "t", DType: U8, Shape: []int{4}}}, make([]byte, 4))
	info, _ := f.Lookup("t")
	stranger := Info{Name: "s", DType: F32, Shape: []int{4}, Begin: 0, End: 16}
	for name, err := range map[string]error{
		"negative offset": f.ReadFloat32(make([]float32, 1), info, -1),
		"beyond the end":  f.ReadFloat32(make([]float32, 2), info, 3),
		"offset overflow": f.ReadFloat32(make([]float32, 2), info, math.MaxInt64),
		"another file's":  f.ReadFloat32(make([]float32, 1), stranger, 0),
		"zero Info":       f.ReadFloat32(nil, Info{}, 0),
	} {
		if !errors.Is(err, fault.Input) {
			t.Errorf("%s: got error %v, want one of class Input", name, err)
		}
	}
	if _, err := f.Reader("none"); !errors.Is(err, fault.Input) {
		t.Errorf("Reader of an unknown name: got error %v, want one of class Input", err)
	}
}

// reopen writes data under the given tensors and opens the result.
func reopen(tb testing.TB, tensors []Info, data []byte) *File {
	tb.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, tensors, nil)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	f, err := Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		tb.Fatal(err)
	}
	return f
}
