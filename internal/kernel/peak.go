package kernel

// MultiplyAdd carries out at least n products and sums in registers, as fast as
// the family can, and returns how many floating-point operations that were. It
// serves to measure what a processor can do at best.
func MultiplyAdd(n int) int {
	steps := 2*n/active.flops + 1
	active.multiplyAdd(steps)
	return steps * active.flops
}

func multiplyAddPortable(n int) {
	var c0, c1, c2, c3, c4, c5, c6, c7 float32
	v, w := float32(1), float32(1e-9)
	for range n {
		c0 += float32(v * w)
		c1 += float32(v * w)
		c2 += float32(v * w)
		c3 += float32(v * w)
		c4 += float32(v * w)
		c5 += float32(v * w)
		c6 += float32(v * w)
		c7 += float32(v * w)
		v += w
	}
	if c0+c1+c2+c3+c4+c5+c6+c7 < 0 {
		panic("kernel: arithmetic is broken") // so that the sums are needed
	}
}

// Sum adds up v, in any order, as fast as memory can be read. It serves to measure
// that.
func Sum(v []float32) float32 { return active.sum(v) }

func sumPortable(v []float32) float32 {
	var s0, s1, s2, s3 float32
	for ; len(v) >= 4; v = v[4:] {
		s0 += v[0]
		s1 += v[1]
		s2 += v[2]
		s3 += v[3]
	}
	for _, x := range v {
		s0 += x
	}
	return (s0 + s1) + (s2 + s3)
}
