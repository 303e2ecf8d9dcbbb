package kernel

import "unsafe"

// collectAVX512 turns the elements and where they come from so that each channel's
// lie in a row, and packs rows; it looks sources up in a register of 16.
func collectAVX512(k *Collector, dy []float32, arg []uint8, width int) {
	if k.taps > Lanes {
		collectPortable(k, dy, arg, width)
		return
	}
	cells, long := len(dy)/width, Pad(len(dy)/width)
	if len(k.trace) < width*long {
		k.trace, k.traceT, k.dyT = make([]int32, width*long), make([]int32, width*long), Alloc(width*long)
		for i := range k.traceT {
			k.traceT[i] = -1 // where there is no cell
		}
	}
	tail := 1<<(len(k.rows)-(width-Lanes)) - 1
	collectPositionsAVX512(cells, width/Lanes, tail, &dy[0], &arg[0], &k.rows[0], &k.positions[0], &k.tapSources[0], k.taps,
		&k.trace[0], &k.ByPosition.v[0], &k.ByPosition.offs[0], k.ByPosition.room, &k.ByPosition.counts[0])
	transposeAVX2(k.dyT, long, dy, width, cells, width)
	transposeAVX2(float32s(k.traceT), long, float32s(k.trace), width, cells, width)
	collectRowsAVX512(len(k.rows), long/Lanes, &k.dyT[0], &k.traceT[0],
		&k.ByChannel.v[0], &k.ByChannel.offs[0], k.ByChannel.room, &k.ByChannel.counts[0])
}

// float32s views integers as floats, to be moved only.
func float32s(v []int32) []float32 { return unsafe.Slice((*float32)(unsafe.Pointer(&v[0])), len(v)) }

// transposeAVX2 turns blocks of 8×8, of which the last ones overlap those before.
func transposeAVX2(dst []float32, dRow int, src []float32, sRow, rows, cols int) {
	if rows < octet || cols < octet {
		transposePortable(dst, dRow, src, sRow, rows, cols)
		return
	}
	for i := 0; i < rows; i += octet {
		i := min(i, rows-octet)
		for j := 0; j < cols; j += octet {
			j := min(j, cols-octet)
			transpose8AVX2(&dst[j*dRow+i], 4*dRow, &src[i*sRow+j], 4*sRow)
		}
	}
}

// octet is the number of floats in a vector of AVX2.
const octet = 8

func addBiasSIMD(y, bias []float32, floor float32) {
	addBiasAVX2(&y[0], len(y)/len(bias), len(bias)/octet, &bias[0], floor)
}

func floorGradSIMD(d, y, sum []float32, floor float32) {
	floorGradAVX2(&d[0], &y[0], len(d)/len(sum), len(sum)/octet, &sum[0], floor)
}

// pooling is the generated functions of the pools.
type pooling struct {
	maxPool, maxPool4 func(y *float32, arg *uint8, cells int, z *float32, step int, taps *int32, ntaps, channels int, bias *float32, floor float32)
	unpool, unpoolAdd func(z *float32, step int, dy *float32, arg *uint8, cells int, taps *int32, ntaps, channels int)
	dropDead          func(d *float32, arg *uint8, rows, cols int, sum *float32)
}

// fill sets the family's functions.
func (s pooling) fill(f *family) {
	f.maxPool = func(y []float32, arg []uint8, z []float32, p Pooling, bias []float32, floor float32) {
		maxPool := s.maxPool
		if len(p.Taps) == 4 {
			maxPool = s.maxPool4
		}
		maxPool(&y[0], &arg[0], p.Cells, &z[0], 4*p.Step, &p.Taps[0], len(p.Taps), len(bias), &bias[0], floor)
	}
	f.unpool = func(z, dy []float32, arg []uint8, p Pooling, add bool) {
		unpool := s.unpool
		if add {
			unpool = s.unpoolAdd
		}
		unpool(&z[0], 4*p.Step, &dy[0], &arg[0], p.Cells, &p.Taps[0], len(p.Taps), len(dy)/p.Cells)
	}
	f.dropDead = func(d []float32, arg []uint8, sum []float32) {
		s.dropDead(&d[0], &arg[0], len(d)/len(sum), len(sum), &sum[0])
	}
}

// The functions below take vectors of any length: whole octets by assembly and
// the rest by portable code, which never sees an element twice.

func addScaledSIMD(dst []float32, a float32, s []float32) {
	n := len(dst) / octet
	if n > 0 {
		addScaledAVX2(n, &dst[0], &s[0], a)
	}
	addScaledPortable(dst[n*octet:], a, s[n*octet:])
}

func sgdSIMD(w, g []float32, rate, decay float32) {
	n := len(w) / octet
	if n > 0 {
		sgdAVX2(n, &w[0], &g[0], rate, decay)
	}
	sgdPortable(w[n*octet:], g[n*octet:], rate, decay)
}

func momentumSIMD(w, g, velocity []float32, rate, momentum, decay float32) {
	n := len(w) / octet
	if n > 0 {
		momentumAVX2(n, &w[0], &g[0], &velocity[0], rate, momentum, decay)
	}
	momentumPortable(w[n*octet:], g[n*octet:], velocity[n*octet:], rate, momentum, decay)
}

func adamSIMD(w, g, m, v []float32, r AdamRates) {
	n := len(w) / octet
	if n > 0 {
		adamAVX2(n, &w[0], &g[0], &m[0], &v[0], r.Step, r.New1, r.New2, r.Epsilon)
	}
	adamPortable(w[n*octet:], g[n*octet:], m[n*octet:], v[n*octet:], r)
}

func fromBytesSIMD(dst []float32, src []uint8) {
	n := len(src) / octet
	if n > 0 {
		fromBytesAVX2(n, &dst[0], &src[0])
	}
	fromBytesPortable(dst[n*octet:], src[n*octet:])
}

const foldRows = 16

// folding makes Fold of a generated function.
func folding(fold func(n int, sum *float64, v *float32, row int, shares *float64, rows int)) func([]float64, []float32, int, []float64) {
	return func(sum []float64, v []float32, row int, shares []float64) {
		n := len(sum) / 16
		// Few rows at a time, which the processor reads ahead.
		for r := 0; n > 0 && r < len(shares); r += foldRows {
			fold(n, &sum[0], &v[r*row], 4*row, &shares[r], min(foldRows, len(shares)-r))
		}
		if n *= 16; n < len(sum) {
			foldPortable(sum[n:], v[n:], row, shares)
		}
	}
}

func sumSIMD(v []float32) float32 {
	const step = 8 * octet
	var lanes [octet]float32
	n := len(v) / step
	if n > 0 {
		sumAVX2(n, &v[0], &lanes[0])
	}
	return sumPortable(lanes[:]) + sumPortable(v[n*step:])
}
