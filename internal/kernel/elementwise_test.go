package kernel

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// special returns n guarded values, some of which are zeros, NaN and infinities.
func (d *drawing) special(n int) []float32 {
	v := d.values(n)
	for i := range v {
		switch d.r.IntN(20) {
		case 0:
			v[i] = nan
		case 1:
			v[i] = negativeNaN
		case 2:
			v[i] = inf
		case 3:
			v[i] = -inf
		case 4:
			v[i] = float32(math.Copysign(0, -1))
		default: // few values, so that maxima are shared
			v[i] = float32(math.Round(float64(v[i])))
		}
	}
	return v
}

func (d *drawing) floor() float32 {
	if d.bool("relu") {
		return 0
	}
	return NoFloor
}

func TestMaxPoolMatchesScan(t *testing.T) {
	property(t, func(d *drawing) {
		channels := Lanes * d.int("channels", 1, 3)
		p := Pooling{Step: Lanes * d.int("step", 0, 4), Cells: d.int("cells", 1, 4)}
		p.Taps = make([]int32, rapid.SampledFrom([]int{1, 2, 3, 4, 4, 4, 7}).Draw(d.T, "taps"))
		for i := range p.Taps {
			p.Taps[i] = int32(d.r.IntN(60))
		}
		z, bias, floor := d.special(p.reach(channels)), d.values(channels), d.floor()
		y, arg := d.canaries(p.Cells*channels), guarded[uint8](d, p.Cells*channels)
		MaxPool(y, arg, z, p, bias, floor)
		for i, got := range y {
			cell, c := i/channels, i%channels
			best, first, bad := float32(0), -1, false
			for t, tap := range p.Taps {
				v := z[int(tap)+cell*p.Step+c]
				bad = bad || isNaN(v)
				if first < 0 || v > best {
					best, first = v, t
				}
			}
			want, live := best+bias[c], true
			if want <= floor {
				want, live = floor, false
			}
			switch {
			case bad || isNaN(want):
				if !isNaN(got) || int(arg[i]) >= len(p.Taps) {
					d.Fatalf("%d: got %v at %d, want NaN at some tap", i, got, arg[i])
				}
			case got != want || live && int(arg[i]) != first || !live && arg[i] != Dead:
				d.Fatalf("%d: got %v at %d, want %v at %d (live: %v)", i, got, arg[i], want, first, live)
			}
		}
	})
}

func TestUnpoolMatchesScan(t *testing.T) {
	property(t, func(d *drawing) {
		channels, taps := Lanes*d.int("channels", 1, 3), d.int("taps", 1, 5)
		p := Pooling{Cells: d.int("cells", 1, 4)}
		add := d.bool("overlapping")
		if add {
			p.Step = Lanes * d.int("step", 0, 4)
			for range taps {
				p.Taps = append(p.Taps, int32(d.r.IntN(60)))
			}
		} else {
			p.Step = taps * channels
			for t := range taps {
				p.Taps = append(p.Taps, int32(t*channels))
			}
		}
		dy, arg := d.values(p.Cells*channels), guarded[uint8](d, p.Cells*channels)
		for i := range arg {
			if arg[i] = uint8(d.r.IntN(taps)); d.r.IntN(4) == 0 {
				arg[i] = Dead
			}
		}
		z := d.canaries(p.reach(channels))
		want := slices.Clone(z)
		if !add {
			clear(want)
		}
		for i, v := range dy {
			if arg[i] != Dead {
				want[int(p.Taps[arg[i]])+i/channels*p.Step+i%channels] += v
			}
		}
		Unpool(z, dy, arg, p, channels, add)
		d.near("z", z, want)
	})
}

func TestDropDead(t *testing.T) {
	property(t, func(d *drawing) {
		rows, cols := d.int("rows", 1, 5), Lanes*d.int("cols", 1, 3)
		v, arg, sums := d.special(rows*cols), guarded[uint8](d, rows*cols), d.values(cols)
		want, wantSums := slices.Clone(v), slices.Clone(sums)
		for i := range arg {
			if arg[i] = uint8(d.r.IntN(4)); d.r.IntN(2) == 0 {
				arg[i], want[i] = Dead, 0
			}
			wantSums[i%cols] += want[i]
		}
		DropDead(v, arg, sums)
		d.near("d", v, want)
		d.near("sum", sums, wantSums)
	})
}

func TestAddBiasAndItsGradient(t *testing.T) {
	property(t, func(d *drawing) {
		rows, cols, floor := d.int("rows", 1, 5), Lanes*d.int("cols", 1, 3), d.floor()
		y, bias := d.special(rows*cols), d.values(cols)
		want := slices.Clone(y)
		for i := range want {
			if want[i] += bias[i%cols]; want[i] <= floor {
				want[i] = floor
			}
		}
		AddBias(y, bias, floor)
		d.near("y", y, want)
		for i, v := range y {
			if floor == 0 && v == 0 && math.Signbit(float64(v)) {
				d.Fatalf("y[%d] is -0 above a floor of 0", i)
			}
		}
		g, sums := d.special(rows*cols), d.values(cols)
		wantG, wantSums := slices.Clone(g), slices.Clone(sums)
		for i := range wantG {
			if y[i] <= floor {
				wantG[i] = 0
			}
			wantSums[i%cols] += wantG[i]
		}
		FloorGrad(g, y, sums, floor)
		d.near("d", g, wantG)
		d.near("sum", sums, wantSums)
	})
}

// Flat functions of any length agree with portable code up to rounding.
func TestFlatFunctionsMatchPortable(t *testing.T) {
	property(t, func(d *drawing) {
		n := d.int("n", 0, 70)
		w, g, m, v := d.values(n), d.values(n), d.values(n), d.values(n)
		for i := range v {
			v[i] = float32(math.Abs(float64(v[i])))
		}
		r := AdamRates{Step: 0.1, New1: 0.1, New2: 0.001, Epsilon: 1e-7}
		for _, c := range []struct {
			name string
			run  func(f *family, w, m, v []float32)
		}{
			{"addScaled", func(f *family, w, _, _ []float32) { f.addScaled(w, 0.3, g) }},
			{"sgd", func(f *family, w, _, _ []float32) { f.sgd(w, g, 0.1, 0.01) }},
			{"momentum", func(f *family, w, m, _ []float32) { f.momentum(w, g, m, 0.1, 0.9, 0.01) }},
			{"adam", func(f *family, w, m, v []float32) { f.adam(w, g, m, v, r) }},
		} {
			copies := func() [3][]float32 {
				var all [3][]float32
				for i, s := range [][]float32{w, m, v} {
					all[i] = guarded[float32](d, n)
					copy(all[i], s)
				}
				return all
			}
			got, want := copies(), copies()
			c.run(active, got[0], got[1], got[2])
			c.run(&portable, want[0], want[1], want[2])
			for i := range got {
				d.near(c.name, got[i], want[i])
			}
		}
	})
}

// What a weight has learnt long ago must not stay behind as a number below the
// normal ones, and the smallest normal number must stay.
func TestMomentsEndAtZero(t *testing.T) {
	const n = 2*Lanes + 3 // with a rest
	each(t, func(t *testing.T, f *family) {
		w, g, m, v := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
		fill := func(s []float32, value float32) {
			for i := range s {
				s[i] = value
			}
		}
		ends := func(what string, s []float32, want float32) {
			t.Helper()
			for i, got := range s {
				if got != want {
					t.Fatalf("%s of element %d: got %g, want %g", what, i, got, want)
				}
			}
		}
		fill(m, -0x1p-126)
		f.momentum(w, g, m, 0.1, 1, 0)
		ends("velocity that keeps", m, -0x1p-126)
		for range 10 {
			f.momentum(w, g, m, 0.1, 0.9, 0)
		}
		ends("velocity", m, 0)
		fill(m, 0x1p-126)
		fill(v, 0x1p-126)
		f.adam(w, g, m, v, AdamRates{Step: 0.1, Epsilon: 1e-7})
		ends("first moment that keeps", m, 0x1p-126)
		ends("second moment that keeps", v, 0x1p-126)
		for range 10 {
			f.adam(w, g, m, v, AdamRates{Step: 0.1, New1: 0.1, New2: 0.001, Epsilon: 1e-7})
		}
		ends("first moment", m, 0)
		ends("second moment", v, 0)
	})
}

// The aggregate of a round must not depend on the processor.
func TestFoldIsExactlyPortable(t *testing.T) {
	property(t, func(d *drawing) {
		n, shares := d.int("n", 0, 50), make([]float64, d.int("rows", 0, 9))
		row := n + d.int("gap", 0, 20)
		v := d.special(max(0, (len(shares)-1)*row+n))
		got, want := guarded[float64](d, n), make([]float64, n)
		for i := range got {
			got[i] = d.r.NormFloat64()
		}
		for i := range shares {
			shares[i] = d.r.Float64()
		}
		copy(want, got)
		Fold(got, v, row, shares)
		foldPortable(want, v, row, shares)
		for i := range got {
			if got[i] != want[i] && !(math.IsNaN(got[i]) && math.IsNaN(want[i])) {
				d.Fatalf("sum[%d]: got %v, want %v", i, got[i], want[i])
			}
		}
	})
}

func TestSum(t *testing.T) {
	property(t, func(d *drawing) {
		v := d.values(d.int("n", 0, 200))
		var want sum
		for _, x := range v {
			want.add(x, 1)
		}
		want.compare(d, "sum", 0, Sum(v))
	})
}

func TestMultiplyAddCounts(t *testing.T) {
	each(t, func(t *testing.T, _ *family) {
		if n := MultiplyAdd(1000); n < 2000 || n > 4000 {
			t.Errorf("1000 products and sums are %d operations", n)
		}
	})
}

func TestFromBytesIsExactlyPortable(t *testing.T) {
	property(t, func(d *drawing) {
		src := guarded[uint8](d, d.int("n", 0, 300))
		for i := range src {
			src[i] = uint8(d.r.Uint32())
		}
		dst := guarded[float32](d, len(src))
		FromBytes(dst, src)
		for i, v := range src {
			if want := float32(v) / 255; dst[i] != want {
				d.Fatalf("%d: got %v, want %v", v, dst[i], want)
			}
		}
	})
}

func TestNaNAndInfPassThrough(t *testing.T) {
	each(t, func(t *testing.T, _ *family) {
		for _, bad := range []float32{nan, negativeNaN, inf} {
			finite := func(v []float32) bool {
				return slices.ContainsFunc(v, func(x float32) bool { return !isNaN(x) && !math.IsInf(float64(x), 0) })
			}
			ones := slices.Repeat([]float32{1}, 3*Lanes)
			c := make([]float32, Lanes)
			if Mul(Rows(c, Lanes, Lanes), 1, Lanes, 3, Strided{[]float32{1, bad, 1}, 3, 1}, Panels(ones, 3, Lanes), Whole, Once, false); finite(c) {
				t.Errorf("Mul lost %v: %v", bad, c)
			}
			l := NewLists(1, 1, 0)
			l.counts[0], l.v[0] = 1, bad
			clear(c)
			if MulSparse(c, Lanes, []int32{0}, l, ones, 0, 1, Lanes); finite(c) {
				t.Errorf("MulSparse lost %v: %v", bad, c)
			}
			// Weights, gradients and moments, one of them bad at a time, which it, or
			// else the weights, must stay.
			for name, step := range map[string]func(v [4][]float32){
				"SGD":      func(v [4][]float32) { SGD(v[0], v[1], 1, 0) },
				"Momentum": func(v [4][]float32) { Momentum(v[0], v[1], v[2], 1, 1, 0) },
				"Adam":     func(v [4][]float32) { Adam(v[0], v[1], v[2], v[3], AdamRates{1, 1, 1, 1}) },
			} {
				moments := map[string]int{"SGD": 0, "Momentum": 1, "Adam": 2}[name]
				for i := range 2 + moments {
					v := [4][]float32{slices.Clone(ones[:Lanes]), slices.Clone(ones[:Lanes]), make([]float32, Lanes), make([]float32, Lanes)}
					v[i] = slices.Repeat([]float32{bad}, Lanes)
					if step(v); finite(v[i]) || i == 1 && finite(v[0]) {
						t.Errorf("%s lost %v of vector %d: %v", name, bad, i, v)
					}
				}
			}
		}
	})
}
