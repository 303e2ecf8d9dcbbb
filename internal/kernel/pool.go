package kernel

import "math"

// MaxPool computes y[c] = max over t of z[taps[t]+c] and sets arg[c] to the
// first t that reaches it, for every c of y. There are 1 to 256 taps. A NaN
// among the values makes y[c] NaN.
func MaxPool(y []float32, arg []uint8, z []float32, taps []int32) {
	if len(arg) != len(y) || len(taps) < 1 || len(taps) > 256 {
		panic(errLength)
	}
	if len(taps) == 4 && maxPool4(y, arg, z, taps) {
		return
	}
	copy(y, z[taps[0]:][:len(y)])
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

// maxPool4 is MaxPool for the common window of 2×2. It compares integers in the
// order of the floats, which compiles to conditional moves; branches on floats
// would be mispredicted half of the time. A NaN has no place in that order: when
// there may be one, maxPool4 gives up and returns false.
func maxPool4(y []float32, arg []uint8, z []float32, taps []int32) bool {
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
// below 0.
func ordered(v float32) int32 {
	k := int32(math.Float32bits(v))
	return k ^ int32(uint32(k>>31)>>1)
}

// unordered is the inverse of ordered.
func unordered(k int32) float32 {
	return math.Float32frombits(uint32(k ^ int32(uint32(k>>31)>>1)))
}
