package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model/safetensors"
)

// npz is a zip archive of .npy files, one an array (numpy.savez,
// numpy.savez_compressed).
type npz struct {
	members map[string]*zip.File
	size    int64 // bytes of the whole archive
}

// loadNPZ reads the archive at path.
func loadNPZ(path string) (Split, error) {
	f, size, err := openFile(path)
	if err != nil {
		return Split{}, err
	}
	defer f.Close()
	split, err := decodeNPZ(f, size)
	if err != nil {
		return Split{}, fmt.Errorf("%s: %w", path, err)
	}
	return split, nil
}

func decodeNPZ(r io.ReaderAt, size int64) (Split, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return Split{}, fault.Inputf("not a NumPy archive: %w", err)
	}
	n := npz{members: map[string]*zip.File{}, size: size}
	for _, f := range z.File {
		if n.members[f.Name] != nil {
			return Split{}, fault.Inputf("two members are named %q", f.Name)
		}
		n.members[f.Name] = f
	}
	return splitOf(n)
}

func (n npz) has(name string) bool { return n.members[name+".npy"] != nil }

func (n npz) shape(name string) ([]int, error) {
	r, h, err := n.open(name)
	if err != nil {
		return nil, err
	}
	return h.shape, r.Close()
}

// open returns the elements of an array. Both what the archive and what the
// array's own header declare must agree, and be something that the archive's
// bytes can hold.
func (n npz) open(name string) (io.ReadCloser, npyHeader, error) {
	member := n.members[name+".npy"]
	most := min(member.CompressedSize64, uint64(n.size))
	if member.Method != zip.Store {
		most = min(most, maxBytes) * maxInflate
	}
	if member.UncompressedSize64 > most {
		return nil, npyHeader{}, fault.Inputf("cut short: the archive declares %d bytes, it has %d", member.UncompressedSize64, member.CompressedSize64)
	}
	r, err := member.Open()
	if err != nil {
		return nil, npyHeader{}, readError(err)
	}
	h, consumed, err := readNPYHeader(r)
	switch {
	case err != nil:
	case h.elements() > maxBytes/h.memory():
		err = fault.Inputf("%v elements are more than the %d bytes that are read", h.shape, int64(maxBytes))
	case uint64(consumed+h.length) != member.UncompressedSize64:
		err = fault.Inputf("%d bytes of elements, but %v elements take %d", int64(member.UncompressedSize64)-consumed, h.shape, h.length)
	}
	if err != nil {
		return nil, npyHeader{}, errors.Join(err, r.Close())
	}
	return r, h, nil
}

func (n npz) images(name string) ([]uint8, []float32, error) {
	r, h, err := n.open(name)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	switch {
	case h.kind == 'u' && h.size == 1:
		pixels := make([]uint8, h.length)
		if _, err := io.ReadFull(r, pixels); err != nil {
			return nil, nil, readError(err)
		}
		return rowMajor(pixels, h), nil, atEnd(r)
	case h.kind == 'f':
		values := make([]float32, h.elements())
		err := h.each(r, func(i int, b []byte) error {
			values[i] = h.float(b)
			return nil
		})
		return nil, rowMajor(values, h), err
	}
	return nil, nil, fault.Inputf("images of %d-byte integers are not read, only uint8 and floats; save them with .astype('uint8') or .astype('float32')", h.size)
}

func (n npz) labels(name string) ([]int32, error) {
	r, h, err := n.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if h.kind == 'f' {
		return nil, fault.Inputf("labels are floats, want whole numbers; save them with .astype('int64')")
	}
	labels := make([]int32, h.elements())
	return labels, h.each(r, func(i int, b []byte) (err error) {
		labels[i], err = checkLabel(i, h.integer(b))
		return err
	})
}

// each calls set for every element with its bytes.
func (h npyHeader) each(r io.Reader, set func(i int, b []byte) error) error {
	buf := make([]byte, min(h.length, 1<<16)) // a multiple of every element size
	i := 0
	for left := h.length; left > 0; {
		block := buf[:min(left, int64(len(buf)))]
		if _, err := io.ReadFull(r, block); err != nil {
			return readError(err)
		}
		for at := 0; at < len(block); at += h.size {
			if err := set(i, block[at:at+h.size]); err != nil {
				return err
			}
			i++
		}
		left -= int64(len(block))
	}
	return atEnd(r)
}

// atEnd makes the archive's reader compare its checksum, which it does at the end.
func atEnd(r io.Reader) error {
	if _, err := io.ReadFull(r, make([]byte, 1)); err != nil && !errors.Is(err, io.EOF) {
		return readError(err)
	}
	return nil
}

// float converts an element of a float array.
func (h npyHeader) float(b []byte) float32 {
	switch h.size {
	case 2:
		return safetensors.Float16(h.order.Uint16(b))
	case 4:
		return math.Float32frombits(h.order.Uint32(b))
	}
	return float32(math.Float64frombits(h.order.Uint64(b)))
}

// integer converts an element of an integer array. An unsigned number beyond
// int64 turns negative and is refused as a label either way.
func (h npyHeader) integer(b []byte) int64 {
	signed := h.kind == 'i'
	switch h.size {
	case 1:
		if signed {
			return int64(int8(b[0]))
		}
		return int64(b[0])
	case 2:
		if v := h.order.Uint16(b); !signed {
			return int64(v)
		} else {
			return int64(int16(v))
		}
	case 4:
		if v := h.order.Uint32(b); !signed {
			return int64(v)
		} else {
			return int64(int32(v))
		}
	}
	return int64(h.order.Uint64(b))
}

// rowMajor returns the elements with the last index varying fastest, as
// everything here expects them.
func rowMajor[T any](data []T, h npyHeader) []T {
	if !h.fortran || len(h.shape) < 2 || len(data) == 0 {
		return data
	}
	strides := make([]int, len(h.shape)) // of data, in elements
	step := 1
	for d, n := range h.shape {
		strides[d] = step
		step *= n
	}
	out := make([]T, len(data))
	index := make([]int, len(h.shape))
	at := 0
	for i := range out {
		out[i] = data[at]
		for d := len(index) - 1; d >= 0; d-- { // count up by one, last index first
			index[d]++
			at += strides[d]
			if index[d] < h.shape[d] {
				break
			}
			at -= index[d] * strides[d]
			index[d] = 0
		}
	}
	return out
}
