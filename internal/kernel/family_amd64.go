package kernel

import "golang.org/x/sys/cpu"

// families lists what this processor can run, the fastest first.
func families() []*family {
	all := []*family{&portable}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		all = append([]*family{newAVX2()}, all...)
		if cpu.X86.HasAVX512F {
			all = append([]*family{newAVX512()}, all...)
		}
	}
	return all
}

func newAVX2() *family {
	tiles := []mulFunc{mul1x16AVX2, mul2x16AVX2, mul3x16AVX2, mul4x16AVX2, mul5x16AVX2, mul6x16AVX2}
	column := []columnFunc{
		mulColumn1AVX2, mulColumn2AVX2, mulColumn3AVX2, mulColumn4AVX2, mulColumn5AVX2, mulColumn6AVX2, mulColumn7AVX2, mulColumn8AVX2,
	}
	windows := [][]mulSparseFunc{
		{mulSparse1x16AVX2, mulSparse1x32AVX2},
		{mulSparse2x16AVX2, mulSparse2x32AVX2},
		{mulSparse3x16AVX2, mulSparse3x32AVX2},
	}
	f := &family{
		name:      "avx2",
		mul:       tiling{tiles: [][]mulFunc{tiles}}.mul,
		mulColumn: columnTiles{column, octet}.mul,
		mulSparse: windowing(windows).mul,
		collect:   collectPortable,
		transpose: transposeAVX2,
		addBias:   addBiasSIMD,
		floorGrad: floorGradSIMD,
		addScaled: addScaledSIMD,
		sgd:       sgdSIMD,
		momentum:  momentumSIMD,
		adam:      adamSIMD,
		fromBytes: fromBytesSIMD,
		fold:      folding(foldAVX2),

		sum:         sumSIMD,
		multiplyAdd: multiplyAddAVX2,
		flops:       2 * 12 * 8,
	}
	pooling{maxPoolAVX2, maxPool4AVX2, unpoolAVX2, unpoolAddAVX2, dropDeadAVX2}.fill(f)
	return f
}

// newAVX512 has functions of its own where time is spent, and AVX2 for the rest,
// which is bound by memory.
func newAVX512() *family {
	f := newAVX2()
	f.name = "avx512"
	f.multiplyAdd, f.flops = multiplyAddAVX512, 2*24*16
	f.collect, f.fold = collectAVX512, folding(foldAVX512)
	pooling{maxPoolAVX512, maxPool4AVX512, unpoolAVX512, unpoolAddAVX512, dropDeadAVX512}.fill(f)
	f.mul = tiling{
		tiles: [][]mulFunc{
			{
				mul1x16AVX512, mul2x16AVX512, mul3x16AVX512, mul4x16AVX512, mul5x16AVX512, mul6x16AVX512, mul7x16AVX512,
				mul8x16AVX512, mul9x16AVX512, mul10x16AVX512, mul11x16AVX512, mul12x16AVX512, mul13x16AVX512, mul14x16AVX512,
			},
			{
				mul1x32AVX512, mul2x32AVX512, mul3x32AVX512, mul4x32AVX512, mul5x32AVX512, mul6x32AVX512, mul7x32AVX512,
				mul8x32AVX512, mul9x32AVX512, mul10x32AVX512, mul11x32AVX512, mul12x32AVX512, mul13x32AVX512, mul14x32AVX512,
			},
		},
		pairs: []mulFunc{
			mulPair1x16AVX512, mulPair2x16AVX512, mulPair3x16AVX512, mulPair4x16AVX512, mulPair5x16AVX512, mulPair6x16AVX512, mulPair7x16AVX512,
		},
	}.mul
	f.mulColumn = columnTiles{[]columnFunc{
		mulColumn1AVX512, mulColumn2AVX512, mulColumn3AVX512, mulColumn4AVX512, mulColumn5AVX512, mulColumn6AVX512, mulColumn7AVX512, mulColumn8AVX512,
	}, Lanes}.mul
	f.mulSparse = windowing{
		{mulSparse1x16AVX512, mulSparse1x32AVX512, mulSparse1x48AVX512, mulSparse1x64AVX512, mulSparse1x80AVX512, mulSparse1x96AVX512},
		{mulSparse2x16AVX512, mulSparse2x32AVX512, mulSparse2x48AVX512, mulSparse2x64AVX512, mulSparse2x80AVX512, mulSparse2x96AVX512},
		{mulSparse3x16AVX512, mulSparse3x32AVX512, mulSparse3x48AVX512, mulSparse3x64AVX512, mulSparse3x80AVX512, mulSparse3x96AVX512},
	}.mul
	return f
}
