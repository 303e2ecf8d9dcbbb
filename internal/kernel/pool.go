package kernel

import "math"

// Dead marks, in place of a tap, an output that no input moves.
const Dead = 255

// Pooling is where the windows of one row of pooled cells look: tap t of cell i
// is a run of channels that starts at Taps[t] + i·Step. There are 1 to 255 taps.
type Pooling struct {
	Taps  []int32
	Step  int
	Cells int
}

// reach is the number of elements that the windows span.
func (p *Pooling) reach(channels int) int { return largest(p.Taps) + (p.Cells-1)*p.Step + channels }

// check panics unless the windows lie inside z and y and arg hold all cells.
func (p *Pooling) check(y []float32, arg []uint8, z []float32, channels int) {
	if len(p.Taps) < 1 || len(p.Taps) > Dead || p.Cells < 1 || p.Step < 0 || p.Step%Lanes != 0 {
		panic(errShape)
	}
	for _, t := range p.Taps {
		if t < 0 {
			panic(errShape)
		}
	}
	if channels < 1 || channels%Lanes != 0 {
		panic(errLanes)
	}
	if len(y) != p.Cells*channels || len(arg) != len(y) || len(z) < p.reach(channels) {
		panic(errShape)
	}
}

// MaxPool computes y = max(max_t z[tap t] + bias, floor) for each cell and each
// of the len(bias) channels, y is [cells, channels], and sets arg to the first t
// that is largest, or to Dead where the floor is not exceeded. A NaN in a window
// makes y NaN; arg then is any tap.
func MaxPool(y []float32, arg []uint8, z []float32, p Pooling, bias []float32, floor float32) {
	p.check(y, arg, z, len(bias))
	active.maxPool(y, arg, z, p, bias, floor)
}

func maxPoolPortable(y []float32, arg []uint8, z []float32, p Pooling, bias []float32, floor float32) {
	channels := len(bias)
	for cell := range p.Cells {
		out, where := y[cell*channels:][:channels], arg[cell*channels:][:channels]
		from := z[cell*p.Step:]
		if len(p.Taps) != 4 || !maxOf4(out, where, from, p.Taps) {
			maxOf(out, where, from, p.Taps)
		}
		for c, b := range bias {
			v := out[c] + b
			if v <= floor {
				v, where[c] = floor, Dead
			}
			out[c] = v
		}
	}
}

// maxOf finds the maximum of any number of taps.
func maxOf(y []float32, arg []uint8, z []float32, taps []int32) {
	copy(y, z[taps[0]:][:len(y)])
	clear(arg)
	for _, t := range taps[1:] {
		for c, v := range z[t:][:len(y)] {
			y[c] = max(y[c], v)
		}
	}
	for t := len(taps) - 1; t >= 0; t-- {
		for c, v := range z[taps[t]:][:len(y)] {
			if v == y[c] {
				arg[c] = uint8(t)
			}
		}
	}
}

// maxOf4 is maxOf for the common window of 2×2. It compares integers in the
// order of the floats, which compiles to conditional moves; branches on floats
// would be mispredicted half of the time. A NaN has no place in that order: when
// there may be one, maxOf4 gives up and returns false.
func maxOf4(y []float32, arg []uint8, z []float32, taps []int32) bool {
	arg = arg[:len(y)]
	z0, z1 := z[taps[0]:][:len(y)], z[taps[1]:][:len(y)]
	z2, z3 := z[taps[2]:][:len(y)], z[taps[3]:][:len(y)]
	for c := range y {
		v0, v1, v2, v3 := z0[c], z1[c], z2[c], z3[c]
		if sum := v0 + v1 + v2 + v3; sum != sum {
			return false
		}
		k0, k1, k2, k3 := ordered(v0), ordered(v1), ordered(v2), ordered(v3)
		k := max(max(k0, k1), max(k2, k3))
		t := 3
		if k2 == k {
			t = 2
		}
		if k1 == k {
			t = 1
		}
		if k0 == k {
			t = 0
		}
		y[c], arg[c] = unordered(k), uint8(t)
	}
	return true
}

// ordered maps a float to an integer such that both compare alike, with −0
// below 0. Adding 0 first makes one zero of both.
func ordered(v float32) int32 {
	k := int32(math.Float32bits(v + 0))
	return k ^ int32(uint32(k>>31)>>1)
}

// unordered is the inverse of ordered.
func unordered(k int32) float32 {
	return math.Float32frombits(uint32(k ^ int32(uint32(k>>31)>>1)))
}

// Unpool is the gradient of MaxPool: it writes dy, [cells, channels], to the tap
// of each window that arg names, and zero to the others; with add it adds to what
// is there, which windows that overlap need.
func Unpool(z, dy []float32, arg []uint8, p Pooling, channels int, add bool) {
	p.check(dy, arg, z, channels)
	active.unpool(z, dy, arg, p, add)
}

func unpoolPortable(z, dy []float32, arg []uint8, p Pooling, add bool) {
	channels := len(dy) / p.Cells
	for cell := range p.Cells {
		d, where := dy[cell*channels:][:channels], arg[cell*channels:][:channels]
		for t, tap := range p.Taps {
			out := z[int(tap)+cell*p.Step:][:channels]
			if !add {
				clear(out)
			}
			for c, v := range d {
				if int(where[c]) == t {
					out[c] += v
				}
			}
		}
	}
}

// DropDead sets d, [rows, len(sum)], to zero where arg is Dead, and adds the rows
// of d to sum.
func DropDead(d []float32, arg []uint8, sum []float32) {
	checkRows(d, sum)
	if len(arg) != len(d) {
		panic(errLength)
	}
	active.dropDead(d, arg, sum)
}

func dropDeadPortable(d []float32, arg []uint8, sum []float32) {
	for len(d) > 0 {
		row, where := d[:len(sum)], arg[:len(sum)]
		for j, t := range where {
			if t == Dead {
				row[j] = 0
			}
			sum[j] += row[j]
		}
		d, arg = d[len(sum):], arg[len(sum):]
	}
}
