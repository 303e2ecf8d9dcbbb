package kernel

// families lists what this processor can run, the fastest first. Every arm64 has
// NEON.
func families() []*family { return []*family{newNEON(), &portable} }

// newNEON has functions of its own where time is spent and where Go's assembler
// has the instructions; the rest is portable, MulColumn too.
func newNEON() *family {
	f := portable
	f.name = "neon"
	f.mul = tiling{tiles: [][]mulFunc{{mul1x16NEON, mul2x16NEON, mul3x16NEON, mul4x16NEON, mul5x16NEON, mul6x16NEON}}}.mul
	f.mulSparse = windowing{
		{mulSparse1x16NEON, mulSparse1x32NEON, mulSparse1x48NEON, mulSparse1x64NEON, mulSparse1x80NEON, mulSparse1x96NEON},
		{mulSparse2x16NEON, mulSparse2x32NEON, mulSparse2x48NEON},
		{mulSparse3x16NEON, mulSparse3x32NEON},
	}.mul
	f.addScaled, f.sgd, f.momentum, f.sum = addScaledSIMD, sgdSIMD, momentumSIMD, sumSIMD
	f.multiplyAdd, f.flops = multiplyAddNEON, 2*24*4
	return &f
}
