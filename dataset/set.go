package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"slices"

	"github.com/accord-fl/accord/internal/fault"
)

// MaxClasses bounds labels: a larger one is taken for a mistake in the file.
const MaxClasses = 1 << 16

// maxBytes bounds the memory of one set's images.
const maxBytes = 4 << 30

// Set is a set of labelled images of one shape. It does not change once it is
// built, so any number of goroutines may read it.
type Set struct {
	shape   [3]int
	classes int
	// Either pixels or values holds the images, [n, h, w, c].
	pixels []uint8
	values []float32
	labels []int32
	keys   []int32
	names  []string
}

// FromBytes returns a set of images of shape height, width, channels. pixels
// is [n, h, w, c], where n is len(labels); a network sees float32(v)/255. The
// set keeps both slices.
func FromBytes(shape [3]int, pixels []uint8, labels []int32) (*Set, error) {
	s := &Set{shape: shape, pixels: pixels, labels: labels}
	if err := s.check(len(pixels)); err != nil {
		return nil, err
	}
	return s, nil
}

// FromFloats returns a set of images that a network sees as they are; none may
// be NaN or infinite. values is [n, h, w, c], where n is len(labels). The set
// keeps both slices.
func FromFloats(shape [3]int, values []float32, labels []int32) (*Set, error) {
	s := &Set{shape: shape, values: values, labels: labels}
	if err := s.check(len(values)); err != nil {
		return nil, err
	}
	size := s.size()
	for i, v := range values {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fault.Inputf("image %d has the value %v (element %d)", i/size, v, i%size)
		}
	}
	return s, nil
}

// check compares the shape with the elements there are, and sets the number
// of classes from the labels.
func (s *Set) check(elements int) error {
	if min(s.shape[0], s.shape[1], s.shape[2]) < 1 {
		return fault.Inputf("images of %d×%d×%d hold nothing", s.shape[0], s.shape[1], s.shape[2])
	}
	if len(s.labels) == 0 {
		return fault.Inputf("no images")
	}
	size := 1
	for _, side := range s.shape {
		size *= min(side, elements/size+1) // above elements, when it is, but without overflow
	}
	if elements%size != 0 || elements/size != len(s.labels) {
		return fault.Inputf("%d labels, but %d values of images of %d×%d×%d", len(s.labels), elements, s.shape[0], s.shape[1], s.shape[2])
	}
	for i, label := range s.labels {
		if label < 0 || label >= MaxClasses {
			return fault.Inputf("label %d of image %d is out of range [0, %d)", label, i, MaxClasses)
		}
	}
	s.classes = int(slices.Max(s.labels)) + 1
	return nil
}

// size returns the elements of one image.
func (s *Set) size() int { return s.shape[0] * s.shape[1] * s.shape[2] }

// Len returns the number of images.
func (s *Set) Len() int { return len(s.labels) }

// Shape returns height, width and channels.
func (s *Set) Shape() [3]int { return s.shape }

// Classes returns the number of classes of the whole split that the set
// belongs to; every label is below it.
func (s *Set) Classes() int { return s.classes }

// Label returns the label of image i.
func (s *Set) Label(i int) int32 { return s.labels[i] }

// Labels returns the labels of all images. The caller must not change them.
func (s *Set) Labels() []int32 { return s.labels }

// Keys returns for each image which site it comes from by nature, or nil where
// the set does not say. A negative key is no site. The caller must not change
// them.
func (s *Set) Keys() []int32 { return s.keys }

// ClassNames returns the name of each class, or nil where classes are only
// numbers. The caller must not change them.
func (s *Set) ClassNames() []string { return s.names }

// Digest returns the SHA-256, in hex, of everything that training depends on:
// shape, number of classes, element type, labels and images.
func (s *Set) Digest() string {
	h := sha256.New()
	kind := "uint8"
	if s.values != nil {
		kind = "float32"
	}
	fmt.Fprintf(h, "accord dataset 1\n%s %d×%d×%d×%d classes %d\n", kind, s.Len(), s.shape[0], s.shape[1], s.shape[2], s.classes)
	writeWords(h, s.labels, func(v int32) uint32 { return uint32(v) })
	h.Write(s.pixels)
	writeWords(h, s.values, math.Float32bits)
	return hex.EncodeToString(h.Sum(nil))
}

// writeWords writes values as little-endian words of 32 bits. A hash never
// fails.
func writeWords[T any](h hash.Hash, values []T, bits func(T) uint32) {
	buf := make([]byte, 0, 1<<12)
	for chunk := range slices.Chunk(values, cap(buf)/4) {
		buf = buf[:0]
		for _, v := range chunk {
			buf = binary.LittleEndian.AppendUint32(buf, bits(v))
		}
		h.Write(buf)
	}
}
