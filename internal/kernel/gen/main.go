// Command gen writes the assembly of package kernel for amd64; command neon, below
// it, that for arm64. scripts/generate runs both.
//
//	go run . -isa avx2 -out ../avx2_amd64.s -stubs ../avx2_amd64.go -pkg kernel
//
// Every function takes byte strides and counts that its caller in package
// kernel has checked. AVX-512 has only what is much faster there, above all
// the two products, in which training spends nearly all of its time; for the rest
// it uses the functions of AVX2.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	isa := flag.String("isa", "", "avx2 or avx512")
	flag.Parse()
	switch *isa {
	case "avx2":
		build.ConstraintExpr("amd64")
		products(avx2)
		columns(avx2)
		multiplyAdd(avx2)
		elementwise()
		pooling(avx2)
		transpose()
		optimizers()
		fold(avx2)
	case "avx512":
		build.ConstraintExpr("amd64")
		products(avx512)
		columns(avx512)
		multiplyAdd(avx512)
		collect()
		pooling(avx512)
		fold(avx512)
	default:
		fmt.Fprintln(os.Stderr, "gen: -isa must be avx2 or avx512")
		os.Exit(2)
	}
	build.Generate()
}

// isa is a vector instruction set.
type isa struct {
	suffix  string
	bytes   int                    // of a register
	vector  func() reg.VecVirtual  // a fresh register
	tiles   []tile                 // of mul
	windows []window               // of mulSparse
	chains  int                    // sums of multiplyAdd
	zero    func(v reg.VecVirtual) // clears v
}

var avx2 = isa{
	suffix: "AVX2",
	bytes:  32,
	vector: build.YMM,
	zero:   func(v reg.VecVirtual) { build.VXORPS(v, v, v) },
	// 12 sums, 2 vectors of B and a value of A make 15 of 16 registers.
	tiles:   tilesUpTo(6, 1),
	windows: windowsUpTo(3, 2),
	chains:  12,
}

var avx512 = isa{
	suffix: "AVX512",
	bytes:  64,
	vector: build.ZMM,
	zero:   func(v reg.VecVirtual) { build.VPXORD(v, v, v) },
	// 28 sums, 2 vectors of B and a value of A make 31 of 32 registers.
	tiles:   slices.Concat(tilesUpTo(14, 1), tilesUpTo(14, 2), pairsUpTo(7)),
	windows: windowsUpTo(3, 6),
	chains:  24,
}

// param loads an argument of the current function into a register.
func param(name string) reg.GPVirtual {
	return build.Load(build.Param(name), build.GP64()).(reg.GPVirtual)
}

// argument is where an argument lies in memory.
func argument(name string) operand.Mem {
	basic, err := build.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return basic.Addr
}

// function begins a function that keeps none of its pointers.
func function(name, signature string) {
	build.TEXT(name, build.NOSPLIT, signature)
	build.Pragma("noescape")
}

// finish ends it.
func finish() {
	build.VZEROUPPER()
	build.RET()
}
