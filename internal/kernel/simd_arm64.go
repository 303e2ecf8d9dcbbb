package kernel

// chunk is the number of floats that the functions below take at a time. Whole
// chunks go through assembly and the rest through portable code, which never sees
// an element twice.
const chunk = 16

func addScaledSIMD(dst []float32, a float32, s []float32) {
	n := len(dst) / chunk
	if n > 0 {
		addScaledNEON(n, &dst[0], &s[0], a)
	}
	addScaledPortable(dst[n*chunk:], a, s[n*chunk:])
}

func sgdSIMD(w, g []float32, rate, decay float32) {
	n := len(w) / chunk
	if n > 0 {
		sgdNEON(n, &w[0], &g[0], rate, decay)
	}
	sgdPortable(w[n*chunk:], g[n*chunk:], rate, decay)
}

func momentumSIMD(w, g, velocity []float32, rate, momentum, decay float32) {
	n := len(w) / chunk
	if n > 0 {
		momentumNEON(n, &w[0], &g[0], &velocity[0], rate, momentum, decay)
	}
	momentumPortable(w[n*chunk:], g[n*chunk:], velocity[n*chunk:], rate, momentum, decay)
}

func sumSIMD(v []float32) float32 {
	const step = 2 * chunk
	var lanes [step]float32
	n := len(v) / step
	if n > 0 {
		sumNEON(n, &v[0], &lanes[0])
	}
	return sumPortable(lanes[:]) + sumPortable(v[n*step:])
}
