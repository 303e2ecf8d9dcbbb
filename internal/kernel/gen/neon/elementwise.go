package main

// Functions here take n times 16 elements of each slice.

// addScaled computes dst += a·s.
func addScaled() *routine {
	r := newRoutine("addScaledNEON", "n int, dst *float32, s *float32, a float32")
	n, dst, s := r.load("n"), r.load("dst"), r.load("s")
	a := r.spreadArgument("a")
	x, y := r.lanes(), r.lanes()
	r.label("loop")
	r.emit("VLD1.P", past(s, lanesBytes), x)
	r.emit("VLD1", in(dst), y)
	r.multiplyAdd(y, a, x)
	r.emit("VST1.P", y, past(dst, lanesBytes))
	r.countdown(n, "loop")
	return r
}

// sgd computes w −= rate·(g + decay·w).
func sgd() *routine {
	r := newRoutine("sgdNEON", "n int, w *float32, grads *float32, rate float32, decay float32")
	n, w, grads := r.load("n"), r.load("w"), r.load("grads")
	rate, decay := r.spreadArgument("rate"), r.spreadArgument("decay")
	x, g := r.lanes(), r.lanes()
	r.label("loop")
	r.emit("VLD1", in(w), x)
	r.emit("VLD1.P", past(grads, lanesBytes), g)
	r.multiplyAdd(g, decay, x)
	r.multiplySubtract(x, rate, g)
	r.emit("VST1.P", x, past(w, lanesBytes))
	r.countdown(n, "loop")
	return r
}

// momentum computes velocity = momentum·velocity + g + decay·w and then
// w −= rate·velocity. A velocity below the normal numbers becomes zero.
func momentum() *routine {
	r := newRoutine("momentumNEON",
		"n int, w *float32, grads *float32, velocity *float32, rate float32, momentum float32, decay float32")
	n, w, grads, velocity := r.load("n"), r.load("w"), r.load("grads"), r.load("velocity")
	rate, momentum, decay := r.spreadArgument("rate"), r.spreadArgument("momentum"), r.spreadArgument("decay")
	exponents, normal := r.exponents(), r.vector()
	x, g, u := r.lanes(), r.lanes(), r.lanes()
	r.label("loop")
	r.emit("VLD1", in(w), x)
	r.emit("VLD1.P", past(grads, lanesBytes), g)
	r.emit("VLD1", in(velocity), u)
	r.multiplyAdd(g, decay, x)
	r.multiplyAdd(g, momentum, u)
	for _, v := range g {
		r.emit("VCMTST", exponents, v, normal) // all bits where one of the exponent's is set
		r.emit("VAND", bits(normal), bits(v), bits(v))
	}
	r.multiplySubtract(x, rate, g)
	r.emit("VST1.P", g, past(velocity, lanesBytes))
	r.emit("VST1.P", x, past(w, lanesBytes))
	r.countdown(n, "loop")
	return r
}

// sum stores 32 partial sums of n times 32 elements.
func sum() *routine {
	r := newRoutine("sumNEON", "n int, v *float32, lanes *float32")
	n, v, to := r.load("n"), r.load("v"), r.load("lanes")
	one := r.ones(r.vector())
	sums, x := r.block(1, 2)[0], r.lanes()
	for _, s := range sums {
		for _, v := range s {
			r.clear(v)
		}
	}
	r.label("loop")
	for _, s := range sums {
		r.emit("VLD1.P", past(v, lanesBytes), x)
		r.multiplyAdd(s, one, x)
	}
	r.countdown(n, "loop")
	for _, s := range sums {
		r.emit("VST1.P", s, past(to, lanesBytes))
	}
	return r
}

// multiplySubtract computes rest −= value·row.
func (r *routine) multiplySubtract(rest lanes, value vector, row lanes) {
	for i, v := range rest {
		r.emit("VFMLS", value, row[i], v)
	}
}
