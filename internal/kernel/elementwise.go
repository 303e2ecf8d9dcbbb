package kernel

import "math"

// AddBias adds bias to every row of y, [rows, len(bias)].
func AddBias(y, bias []float32) {
	checkRows(y, bias)
	for len(y) > 0 {
		row := y[:len(bias)]
		for j, b := range bias {
			row[j] += b
		}
		y = y[len(bias):]
	}
}

// AddBiasReLU is AddBias followed by max(·, 0).
func AddBiasReLU(y, bias []float32) {
	checkRows(y, bias)
	for len(y) > 0 {
		row := y[:len(bias)]
		for j, b := range bias {
			row[j] = max(row[j]+b, 0)
		}
		y = y[len(bias):]
	}
}

// checkRows panics unless x consists of whole rows.
func checkRows(x, row []float32) {
	if len(row) == 0 || len(x)%len(row) != 0 {
		panic(errLength)
	}
}

// ReLU computes y = max(x, 0).
func ReLU(y, x []float32) {
	if len(y) != len(x) {
		panic(errLength)
	}
	for i, v := range x {
		y[i] = max(v, 0)
	}
}

// ReLUGrad computes dx = dy where y > 0, and 0 elsewhere. dx may be dy.
func ReLUGrad(dx, dy, y []float32) {
	if len(dx) != len(dy) || len(y) != len(dy) {
		panic(errLength)
	}
	for i, d := range dy {
		mask := -uint32(positive(y[i]))
		dx[i] = math.Float32frombits(math.Float32bits(d) & mask)
	}
}

// positive is 1 for v > 0 and for a NaN without sign, otherwise 0.
func positive(v float32) int {
	return int(-math.Float32bits(v)>>31) &^ int(math.Float32bits(v)>>31)
}

// AddTo computes dst += s.
func AddTo(dst, s []float32) {
	if len(dst) != len(s) {
		panic(errLength)
	}
	for i, v := range s {
		dst[i] += v
	}
}

// AddRows adds every row of x, [rows, len(dst)], to dst.
func AddRows(dst, x []float32) {
	checkRows(x, dst)
	for len(x) > 0 {
		AddTo(dst, x[:len(dst)])
		x = x[len(dst):]
	}
}

// Transpose computes dst[j·rows+i] = src[i·cols+j] for a matrix of rows × cols.
func Transpose(dst, src []float32, rows, cols int) {
	if len(dst) != rows*cols || len(src) != rows*cols {
		panic(errLength)
	}
	for i := range rows {
		at := i
		for _, v := range src[i*cols:][:cols] {
			dst[at] = v
			at += rows
		}
	}
}

// Live writes to idx the positions i where d[i] is not zero and gives their
// number. With y given, y[i] must be positive too: the gradient d then stops at
// a ReLU whose output y is zero. idx must be as long as d.
func Live(idx []int32, d, y []float32) int {
	if len(idx) < len(d) || y != nil && len(y) != len(d) {
		panic(errLength)
	}
	n := 0
	if y == nil {
		for i, v := range d {
			idx[n] = int32(i)
			n += nonZero(v)
		}
		return n
	}
	for i, v := range d {
		idx[n] = int32(i)
		n += nonZero(v) & positive(y[i])
	}
	return n
}
