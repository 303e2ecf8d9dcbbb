package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/accord-fl/accord/internal/fault"
)

// ErrFormat is in the chain of every error about a malformed file; it is of
// class fault.Input. Errors of the underlying reader are passed on without it.
var ErrFormat = fault.As(fault.Input, errors.New("not a valid safetensors file"))

// maxHeader is the format's own limit on the header's bytes.
const maxHeader = 100_000_000

const (
	lengthBytes = 8 // of the number before the header that is its length
	// firstRead is how much is read at first: most headers fit, so one call of the
	// system does.
	firstRead = 4 << 10
)

// metadataKey is the header's one key that names no tensor.
const metadataKey = "__metadata__"

func formatf(format string, args ...any) error {
	return fault.As(ErrFormat, fmt.Errorf("safetensors: "+format, args...))
}

// Info describes one tensor of a file.
type Info struct {
	Name  string
	DType DType
	Shape []int // row-major; empty for a scalar
	// Begin and End bound the tensor's bytes, counted from the start of the
	// data. NewWriter sets them itself.
	Begin, End int64
}

// Len returns the number of elements, the product of the shape. It may
// overflow for an Info that came neither from Open nor through NewWriter.
func (t Info) Len() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= int64(d)
	}
	return n
}

// byteLen returns the bytes of a tensor, or an error when a dimension is
// negative or the product does not fit.
func byteLen(d DType, shape []int) (int64, error) {
	n := int64(d.Size())
	for _, dim := range shape {
		switch {
		case dim < 0:
			return 0, fmt.Errorf("negative dimension in shape %v", shape)
		case dim > 0 && n > math.MaxInt64/int64(dim):
			return 0, fmt.Errorf("shape %v overflows", shape)
		}
		n *= int64(dim)
	}
	return n, nil
}

// File is an opened file whose header has been validated. It is safe for
// concurrent use when its reader is, and it does not close that reader.
type File struct {
	r    io.ReaderAt
	data int64 // where the data starts in r
	size int64 // bytes of data
	header
}

// Open reads and checks the header of the safetensors file that fills the
// first size bytes of r. The tensors' bytes are not read. Anything malformed
// gives ErrFormat.
func Open(r io.ReaderAt, size int64) (*File, error) { return OpenWithin(r, size, maxHeader) }

// OpenWithin is Open for a header of at most limit bytes: reading one takes
// several times its size of memory.
func OpenWithin(r io.ReaderAt, size, limit int64) (*File, error) {
	limit = min(limit, maxHeader)
	if size < lengthBytes {
		return nil, formatf("%d bytes are too few to hold a header length", size)
	}
	begin := make([]byte, min(size, firstRead))
	if err := readAt(r, begin, 0); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(begin)
	if n > uint64(limit) {
		return nil, formatf("header length %d is above the limit of %d bytes", n, limit)
	}
	data := lengthBytes + int64(n)
	if data > size {
		return nil, formatf("header length %d reaches beyond the end of the file (%d bytes)", n, size)
	}
	if rest := data - int64(len(begin)); rest > 0 {
		begin = append(begin, make([]byte, rest)...)
		if err := readAt(r, begin[len(begin)-int(rest):], data-rest); err != nil {
			return nil, err
		}
	}
	h, err := readHeader(begin[lengthBytes:data])
	if err != nil {
		return nil, err
	}
	f := &File{r: r, data: data, size: size - data, header: h}
	if err := f.checkLayout(); err != nil {
		return nil, err
	}
	return f, nil
}

// checkLayout checks that the tensors cover the data exactly once.
func (f *File) checkLayout() error {
	var pos int64
	for _, t := range f.tensors {
		want, err := byteLen(t.DType, t.Shape)
		switch {
		case err != nil:
			return formatf("tensor %.80q: %w", t.Name, err)
		case t.End < t.Begin:
			return formatf("tensor %.80q: data_offsets [%d, %d] run backwards", t.Name, t.Begin, t.End)
		case t.End-t.Begin != want:
			return formatf("tensor %.80q: %s %v takes %d bytes, but data_offsets [%d, %d] hold %d", t.Name, t.DType, t.Shape, want, t.Begin, t.End, t.End-t.Begin)
		case t.Begin < pos:
			return formatf("tensor %.80q: data_offsets [%d, %d] overlap another tensor's", t.Name, t.Begin, t.End)
		case t.Begin > pos:
			return formatf("tensor %.80q: no tensor owns the bytes [%d, %d) before it", t.Name, pos, t.Begin)
		case t.End > f.size:
			return formatf("tensor %.80q: data_offsets [%d, %d] reach beyond the %d bytes of data", t.Name, t.Begin, t.End, f.size)
		}
		pos = t.End
	}
	if pos != f.size {
		return formatf("%d bytes after the last tensor", f.size-pos)
	}
	return nil
}

// Tensors returns the file's tensors in the order of their bytes. Their shapes
// are shared with other files: they must not be changed.
func (f *File) Tensors() []Info { return slices.Clone(f.tensors) }

// Metadata returns a copy of the file's free-form metadata; nil when it has none.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Lookup returns the tensor of the given name; see Tensors.
func (f *File) Lookup(name string) (Info, bool) {
	i, ok := f.index[name]
	if !ok {
		return Info{}, false
	}
	return f.tensors[i], true
}

// Reader returns the raw bytes of the tensor of the given name.
func (f *File) Reader(name string) (*io.SectionReader, error) {
	t, ok := f.Lookup(name)
	if !ok {
		return nil, fault.Inputf("safetensors: no tensor %.80q", name)
	}
	return io.NewSectionReader(f.r, f.data+t.Begin, t.End-t.Begin), nil
}

// readAt fills p from off. A reader that ends early was promised longer than
// it is, which makes the file malformed.
func readAt(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	switch {
	case n == len(p): // ReadAt may say io.EOF together with the last byte
		return nil
	case errors.Is(err, io.EOF):
		return formatf("cut short: %w", io.ErrUnexpectedEOF)
	}
	return err
}
