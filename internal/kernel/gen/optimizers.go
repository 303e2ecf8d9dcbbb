package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// optimizers make one step on flat vectors. Constants come as arguments in the
// order of the formulas in package kernel.
func optimizers() {
	sgd()
	momentum()
	adam()
}

// constant fills a vector with the argument at off bytes.
func constant(name string) reg.VecVirtual {
	v := YMM()
	VBROADCASTSS(argument(name), v)
	return v
}

// decayed is g + decay·w.
func decayed(w, g reg.GPVirtual, decay reg.VecVirtual) (weight, grad reg.VecVirtual) {
	weight, grad = YMM(), YMM()
	VMOVUPS(Mem{Base: w}, weight)
	VMOVUPS(Mem{Base: g}, grad)
	VFMADD231PS(decay, weight, grad)
	return weight, grad
}

// flush returns a function that sets elements below the normal numbers to zero.
func flush() func(v reg.VecVirtual) {
	magnitude, normal := avx2.integers(1<<31-1), avx2.integers(1<<23)
	return func(v reg.VecVirtual) {
		size := YMM()
		VANDPS(magnitude, v, size)
		kept := avx2.keep(avx2.compare(isNotLess, size, normal), v)
		VMOVAPS(kept, v)
	}
}

func sgd() {
	function("sgdAVX2", "func(n int, w, grads *float32, rate, decay float32)")
	n, w, g := param("n"), param("w"), param("grads")
	rate, decay := constant("rate"), constant("decay")
	loop(n, []reg.GPVirtual{w, g}, func() {
		weight, grad := decayed(w, g, decay)
		VFNMADD231PS(rate, grad, weight)
		VMOVUPS(weight, Mem{Base: w})
	})
	finish()
}

func momentum() {
	function("momentumAVX2", "func(n int, w, grads, velocity *float32, rate, momentum, decay float32)")
	n, w, g, velocity := param("n"), param("w"), param("grads"), param("velocity")
	rate, mu, decay := constant("rate"), constant("momentum"), constant("decay")
	flushed := flush()
	loop(n, []reg.GPVirtual{w, g, velocity}, func() {
		weight, grad := decayed(w, g, decay)
		VFMADD231PS(Mem{Base: velocity}, mu, grad)
		flushed(grad)
		VMOVUPS(grad, Mem{Base: velocity})
		VFNMADD231PS(rate, grad, weight)
		VMOVUPS(weight, Mem{Base: w})
	})
	finish()
}

func adam() {
	function("adamAVX2", "func(n int, w, grads, m, v *float32, step, new1, new2, epsilon float32)")
	n, w, g, m, v := param("n"), param("w"), param("grads"), param("m"), param("v")
	step, new1, new2, epsilon := constant("step"), constant("new1"), constant("new2"), constant("epsilon")
	flushed := flush()
	loop(n, []reg.GPVirtual{w, g, m, v}, func() {
		grad, first, second, delta := YMM(), YMM(), YMM(), YMM()
		VMOVUPS(Mem{Base: g}, grad)
		VMOVUPS(Mem{Base: m}, first)
		VSUBPS(first, grad, delta)
		VFMADD231PS(new1, delta, first)
		flushed(first)
		VMOVUPS(first, Mem{Base: m})
		VMOVUPS(Mem{Base: v}, second)
		VFMSUB213PS(second, grad, grad) // g² − v
		VFMADD231PS(new2, grad, second)
		flushed(second)
		VMOVUPS(second, Mem{Base: v})
		VSQRTPS(second, second)
		VADDPS(epsilon, second, second)
		VMULPS(step, first, first)
		VDIVPS(second, first, first)
		weight := YMM()
		VMOVUPS(Mem{Base: w}, weight)
		VSUBPS(first, weight, weight)
		VMOVUPS(weight, Mem{Base: w})
	})
	finish()
}
