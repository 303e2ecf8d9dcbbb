package kernel

// MaxPool computes y[c] = max over t of z[taps[t]+c] and sets arg[c] to the
// first t that reaches it, for every c of y. There are 1 to 256 taps. A NaN
// among the values makes y[c] NaN.
func MaxPool(y []float32, arg []uint8, z []float32, taps []int32) {
	if len(arg) != len(y) {
		panic(errLength)
	}
	if len(taps) == 4 {
		maxPool4(y, arg, z, taps)
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

// maxPool4 is MaxPool for the common window of 2×2.
func maxPool4(y []float32, arg []uint8, z []float32, taps []int32) {
	arg = arg[:len(y)]
	z0, z1 := z[taps[0]:][:len(y)], z[taps[1]:][:len(y)]
	z2, z3 := z[taps[2]:][:len(y)], z[taps[3]:][:len(y)]
	for c := range y {
		v := max(z0[c], z1[c], z2[c], z3[c])
		y[c] = v
		t := uint8(3)
		if z2[c] == v {
			t = 2
		}
		if z1[c] == v {
			t = 1
		}
		if z0[c] == v {
			t = 0
		}
		arg[c] = t
	}
}
