package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

var (
	nan         = float32(math.NaN())
	negativeNaN = math.Float32frombits(0xFFC00000) // what x86 makes of Inf−Inf
	inf         = float32(math.Inf(1))
)

func isNaN(v float32) bool { return v != v }

func TestMaxPoolMatchesScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		channels := rapid.IntRange(1, 9).Draw(t, "channels")
		taps := make([]int32, rapid.IntRange(1, 7).Draw(t, "taps"))
		z := rapid.SliceOfN(rapid.SampledFrom([]float32{-2, -1, 0, 1, 2, 3, inf, -inf, nan, negativeNaN}), 60, 60).Draw(t, "z")
		for i := range taps {
			taps[i] = int32(rapid.IntRange(0, 60-channels).Draw(t, "tap"))
		}
		y, arg := make([]float32, channels), make([]uint8, channels)
		MaxPool(y, arg, z, taps)
		for c := range channels {
			want, first, bad := z[int(taps[0])+c], 0, false
			for i, tap := range taps {
				v := z[int(tap)+c]
				bad = bad || isNaN(v)
				if v > want {
					want, first = v, i
				}
			}
			if bad {
				if !isNaN(y[c]) {
					t.Fatalf("channel %d: got %v, want NaN", c, y[c])
				}
				continue
			}
			if y[c] != want || int(arg[c]) != first {
				t.Fatalf("channel %d: got %v at %d, want %v at %d", c, y[c], arg[c], want, first)
			}
		}
	})
}

func TestNaNAndInfPassThrough(t *testing.T) {
	for _, bad := range []float32{nan, negativeNaN, inf} {
		finite := func(v float32) bool { return !isNaN(v) && !math.IsInf(float64(v), 0) }
		b := NewPanels(3, 5)
		b.Pack(0, 3, []float32{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 5, 1)
		c := make([]float32, 5)
		GEMM(c, 5, 1, 3, Strided{[]float32{1, bad, 1}, 3, 1}, b, []Segment{{0, 0}}, false)
		for j, v := range c {
			if finite(v) {
				t.Errorf("GEMM lost %v in column %d", bad, j)
			}
		}
		s := NewSparse(1, 3)
		s.Compress([]float32{0, bad, 1}, 3)
		s.Mul(c, 5, Walk{Rows: []int32{0, 1}, Runs: []Run{{0, 1, 0}}}, b, false)
		for j, v := range c {
			if finite(v) {
				t.Errorf("Sparse.Mul lost %v in column %d", bad, j)
			}
		}
		y := []float32{bad}
		if AddBiasReLU(y, []float32{1}); finite(y[0]) {
			t.Errorf("AddBiasReLU lost %v", bad)
		}
		if ReLU(y, []float32{bad}); finite(y[0]) {
			t.Errorf("ReLU lost %v", bad)
		}
		if ReLUGrad(y, []float32{bad}, []float32{1}); finite(y[0]) {
			t.Errorf("ReLUGrad lost %v", bad)
		}
		if n := Live(make([]int32, 1), []float32{bad}, []float32{1}); n != 1 {
			t.Errorf("Live lost %v", bad)
		}
	}
}

func TestReLUAndItsGradient(t *testing.T) {
	x := []float32{-1, 0, float32(math.Copysign(0, -1)), 2, 1e-40}
	y := make([]float32, len(x))
	ReLU(y, x)
	for i, want := range []float32{0, 0, 0, 2, 1e-40} {
		if y[i] != want || math.Signbit(float64(y[i])) {
			t.Errorf("ReLU(%v): got %v, want %v", x[i], y[i], want)
		}
	}
	dy := []float32{5, 6, 7, 8, 9}
	ReLUGrad(dy, dy, y)
	for i, want := range []float32{0, 0, 0, 8, 9} {
		if dy[i] != want {
			t.Errorf("ReLUGrad at %v: got %v, want %v", x[i], dy[i], want)
		}
	}
}

func TestLiveSkipsZerosAndDeadUnits(t *testing.T) {
	d, y := []float32{1, 0, 2, 3, float32(math.Copysign(0, -1))}, []float32{1, 1, 0, 2, 1}
	idx := make([]int32, len(d))
	if got := idx[:Live(idx, d, y)]; len(got) != 2 || got[0] != 0 || got[1] != 3 {
		t.Errorf("with outputs: got %v, want [0 3]", got)
	}
	if got := idx[:Live(idx, d, nil)]; len(got) != 3 || got[2] != 3 {
		t.Errorf("without outputs: got %v, want [0 2 3]", got)
	}
}

func TestAddBiasAndRows(t *testing.T) {
	y := []float32{1, -2, 3, -4}
	AddBias(y, []float32{10, 20})
	sum := []float32{1, 1}
	AddRows(sum, y)
	for i, want := range []float32{11, 18, 13, 16} {
		if y[i] != want {
			t.Errorf("AddBias[%d]: got %v, want %v", i, y[i], want)
		}
	}
	if sum[0] != 25 || sum[1] != 35 {
		t.Errorf("AddRows: got %v, want [25 35]", sum)
	}
}

func TestTranspose(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	src, dst := values(r, 3*5), make([]float32, 3*5)
	Transpose(dst, src, 3, 5)
	for i := range 3 {
		for j := range 5 {
			if dst[j*3+i] != src[i*5+j] {
				t.Fatalf("element (%d, %d) went astray", i, j)
			}
		}
	}
}
