package layer

import "fmt"

// Window is how a kernel or a pool moves over an image.
type Window struct {
	Size, Strides [2]int // height, width
	Same          bool   // pad with as much as keeps ⌈in/stride⌉ outputs
}

// maxWindow bounds sizes and strides, so that products of them cannot overflow.
const maxWindow = 1 << 15

// axis is a window's movement along one dimension.
type axis struct {
	in, size, stride int
	before, after    int // padding
	out              int // number of positions
}

// over places the window on an image. It fails when no position fits.
func (w Window) over(in Shape) (rows, cols axis, err error) {
	for i := range 2 {
		if w.Size[i] < 1 || w.Size[i] > maxWindow || w.Strides[i] < 1 || w.Strides[i] > maxWindow {
			return axis{}, axis{}, fmt.Errorf("window %v with strides %v: every number must lie in 1…%d", w.Size, w.Strides, maxWindow)
		}
	}
	rows = place(in.H, w.Size[0], w.Strides[0], w.Same)
	cols = place(in.W, w.Size[1], w.Strides[1], w.Same)
	if rows.out < 1 || cols.out < 1 {
		return axis{}, axis{}, fmt.Errorf("a window of %d×%d does not fit into an input of %v", w.Size[0], w.Size[1], in)
	}
	return rows, cols, nil
}

// place follows TensorFlow: with same padding the total is
// max((⌈in/stride⌉−1)·stride + size − in, 0), the odd one after.
func place(in, size, stride int, same bool) axis {
	a := axis{in: in, size: size, stride: stride}
	if !same {
		if in >= size {
			a.out = (in-size)/stride + 1
		}
		return a
	}
	a.out = (in + stride - 1) / stride
	total := max((a.out-1)*stride+size-in, 0)
	a.before = total / 2
	a.after = total - a.before
	return a
}

// padded is the extent with padding.
func (a axis) padded() int { return a.before + a.in + a.after }

// clip returns the part of position i's window that lies inside the image.
func (a axis) clip(i int) (from, to int) {
	from = i*a.stride - a.before
	return max(from, 0), min(from+a.size, a.in)
}

// read returns how much of the image the windows reach, without padding.
func (a axis) read() int { return (a.out-1)*a.stride + a.size }

// reads reports whether some window covers pixel i, which must lie before the last
// one's end; without padding.
func (a axis) reads(i int) bool { return i%a.stride < a.size }

// elements counts those inside the image of the windows at positions that wanted
// holds for.
func (a axis) elements(wanted func(i int) bool) int {
	n := 0
	for i := range a.out {
		if wanted(i) {
			from, to := a.clip(i)
			n += to - from
		}
	}
	return n
}

// tiles reports whether the windows cover the image without gaps or overlaps.
func (a axis) tiles() bool { return a.stride == a.size && a.out*a.size == a.in }

// position returns the window that covers pixel i with its element k.
func (a axis) position(i, k int) (int, bool) {
	start := i + a.before - k
	if start < 0 || start%a.stride != 0 || start/a.stride >= a.out {
		return 0, false
	}
	return start / a.stride, true
}

// inside returns the windows, n from first on, whose element k lies inside the
// image.
func (a axis) inside(k int) (first, n int) {
	for first < a.out && first*a.stride+k < a.before {
		first++
	}
	for first+n < a.out && (first+n)*a.stride+k-a.before < a.in {
		n++
	}
	return first, n
}
