package kernel

import "math"

// NoFloor is the floor of a function that has none.
var NoFloor = float32(math.NaN())

// AddBias computes y = max(y + bias, floor) for every row of y,
// [rows, len(bias)]; with NoFloor, y + bias. ReLU has floor 0.
func AddBias(y, bias []float32, floor float32) {
	checkRows(y, bias)
	active.addBias(y, bias, floor)
}

func addBiasPortable(y, bias []float32, floor float32) {
	if floor != floor {
		floor = float32(math.Inf(-1))
	}
	for len(y) > 0 {
		row := y[:len(bias)]
		for j, b := range bias {
			row[j] = max(row[j]+b, floor)
		}
		y = y[len(bias):]
	}
}

// FloorGrad is the gradient of AddBias: it sets d, [rows, len(sum)], to zero
// where y did not exceed the floor, and adds the rows of d to sum.
func FloorGrad(d, y, sum []float32, floor float32) {
	checkRows(d, sum)
	if len(y) != len(d) {
		panic(errLength)
	}
	active.floorGrad(d, y, sum, floor)
}

func floorGradPortable(d, y, sum []float32, floor float32) {
	for len(d) > 0 {
		row, out := d[:len(sum)], y[:len(sum)]
		for j, v := range out {
			if v <= floor {
				row[j] = 0
			}
			sum[j] += row[j]
		}
		d, y = d[len(sum):], y[len(sum):]
	}
}

// checkRows panics unless x consists of whole rows of whole Lanes.
func checkRows(x, row []float32) {
	if len(row) == 0 || len(x) == 0 || len(x)%len(row) != 0 {
		panic(errLength)
	}
	if len(row)%Lanes != 0 {
		panic(errLanes)
	}
}

// AddScaled computes dst += a·s.
func AddScaled(dst []float32, a float32, s []float32) {
	sameLength(len(dst), len(s))
	active.addScaled(dst, a, s)
}

func addScaledPortable(dst []float32, a float32, s []float32) {
	for i, v := range s {
		dst[i] += float32(a * v)
	}
}

// FromBytes computes dst = src/255. All families give the same bits.
func FromBytes(dst []float32, src []uint8) {
	sameLength(len(dst), len(src))
	active.fromBytes(dst, src)
}

func fromBytesPortable(dst []float32, src []uint8) {
	for i, v := range src {
		dst[i] = float32(v) / 255
	}
}

// Fold computes sum += shares[r]·v_r over the rows of v, which have len(sum)
// elements and begin row elements apart: one after the other, in float64 and with
// products rounded before they are added. All families give the same bits.
func Fold(sum []float64, v []float32, row int, shares []float64) {
	if len(shares) == 0 || len(sum) == 0 {
		return
	}
	if row < 0 || len(v) < (len(shares)-1)*row+len(sum) {
		panic(errShape)
	}
	active.fold(sum, v, row, shares)
}

func foldPortable(sum []float64, v []float32, row int, shares []float64) {
	for r, share := range shares {
		for i, x := range v[r*row:][:len(sum)] {
			sum[i] += float64(share * float64(x))
		}
	}
}

// sameLength panics unless all lengths are equal.
func sameLength(want int, lengths ...int) {
	for _, n := range lengths {
		if n != want {
			panic(errLength)
		}
	}
}
