package dataset

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/accord-fl/accord/internal/fault"
)

// IDX is the format of MNIST (http://yann.lecun.com/exdb/mnist): a big-endian
// magic number 0x0000TTDD of element type TT and DD dimensions, the dimensions
// as 32-bit numbers, and the elements. Only unsigned bytes (0x08) are read.

// maxInflate is the most bytes that deflate makes of one (zlib's technical
// notes: 1032 : 1), which tells a truthful header from a bomb without reading on.
const maxInflate = 1032

// readIDX reads the file at path, compressed by gzip or not.
func readIDX(path string) (shape []int, data []byte, err error) {
	f, size, err := openFile(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	shape, data, err = decodeIDX(f, size)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return shape, data, nil
}

// decodeIDX decodes the size bytes of r. It takes no more memory than the
// header declares, and refuses a header that declares more than size bytes
// can hold.
func decodeIDX(r io.Reader, size int64) (shape []int, data []byte, err error) {
	buffered := bufio.NewReader(r)
	r = buffered
	most := size
	if magic, _ := buffered.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		if r, err = gzip.NewReader(buffered); err != nil {
			return nil, nil, fault.Inputf("not valid gzip: %w", err)
		}
		most = min(size, maxBytes) * maxInflate
	}
	shape, n, err := decodeIDXHeader(r)
	if err != nil {
		return nil, nil, err
	}
	if n > maxBytes {
		return nil, nil, fault.Inputf("header declares %v elements, more than the %d bytes that are read", shape, int64(maxBytes))
	}
	if n > most {
		return nil, nil, fault.Inputf("cut short: header declares %v elements, the file has %d bytes", shape, size)
	}
	data = make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, nil, readError(err)
	}
	switch _, err := io.ReadFull(r, make([]byte, 1)); {
	case err == nil:
		return nil, nil, fault.Inputf("more data than the %v elements that the header declares", shape)
	case !errors.Is(err, io.EOF): // gzip compares its checksum here
		return nil, nil, readError(err)
	}
	return shape, data, nil
}

// decodeIDXHeader returns the dimensions and their product, or maxBytes+1
// when that is larger.
func decodeIDXHeader(r io.Reader) (shape []int, product int64, err error) {
	var word [4]byte
	if _, err := io.ReadFull(r, word[:]); err != nil {
		return nil, 0, readError(err)
	}
	dims := word[3]
	switch {
	case word[0] != 0 || word[1] != 0:
		return nil, 0, fault.Inputf("not IDX: magic number %#08x", word)
	case word[2] != 0x08:
		return nil, 0, fault.Inputf("IDX element type %#02x is not read, only unsigned bytes (0x08)", word[2])
	case dims != 1 && dims != 3 && dims != 4:
		return nil, 0, fault.Inputf("IDX of %d dimensions: want 1 (labels), 3 or 4 (images)", dims)
	}
	product = 1
	for range dims {
		if _, err := io.ReadFull(r, word[:]); err != nil {
			return nil, 0, readError(err)
		}
		n := binary.BigEndian.Uint32(word[:])
		shape = append(shape, int(n))
		if n > 0 && product > maxBytes/int64(n) {
			product = maxBytes + 1
			continue
		}
		product *= int64(n)
	}
	return shape, product, nil
}
