package dataset

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
)

func TestLoadNumPy(t *testing.T) {
	labels := []int32{2, 0, 1}
	for _, c := range []struct {
		file  string
		part  func(Split) *Set
		shape [3]int
		want  []float32
		scale float32
		label []int32
	}{
		{"npz:stored.npz", Split.train, [3]int{2, 2, 1}, upTo(12), 255, labels},
		{"npz:stored.npz", Split.test, [3]int{2, 2, 1}, upTo(4), 255, labels[:1]},
		{"npz:compressed.npz", Split.train, [3]int{2, 1, 2}, upTo(12), 1, labels},
		{"npz:compressed.npz", Split.val, [3]int{2, 1, 2}, upTo(8), 1, []int32{5, 0}},
		{"npz:compressed.npz", Split.test, [3]int{2, 1, 2}, upTo(4), 1, []int32{3}},
		{"npz:fortran.npz", Split.train, [3]int{2, 4, 1}, upTo(24), 1, labels},
		{"npz:fortran4.npz", Split.train, [3]int{2, 4, 3}, upTo(72), 255, labels},
		{"npz:bigendian.npz", Split.train, [3]int{2, 2, 1}, upTo(12), 1, labels},
		{"npz:half.npz", Split.train, [3]int{2, 2, 1}, upTo(12), 1, labels},
		{"safetensors:numpy.safetensors", Split.train, [3]int{2, 2, 1}, upTo(12), 255, labels},
		{"safetensors:numpy.safetensors", Split.test, [3]int{2, 2, 1}, upTo(4), 255, labels[:1]},
	} {
		split, err := Load(c.file, "testdata")
		if err != nil {
			t.Fatal(err)
		}
		wantSet(t, c.file, c.part(split), c.shape, c.want, c.scale, c.label)
	}
	// The number of classes is that of the whole split.
	if split := load(t, "npz:%s", filepath.Join("testdata", "compressed.npz")); split.Train.Classes() != 6 || split.Test.Classes() != 6 {
		t.Errorf("classes: got %d and %d, want 6", split.Train.Classes(), split.Test.Classes())
	}
}

func (s Split) train() *Set { return s.Train }
func (s Split) val() *Set   { return s.Val }
func (s Split) test() *Set  { return s.Test }

// npy builds an array file of format version 1.
func npy(descr, shape string, data []byte) []byte {
	return npyOf(fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape), data)
}

func npyOf(header string, data []byte) []byte {
	b := append([]byte("\x93NUMPY\x01\x00"), binary.LittleEndian.AppendUint16(nil, uint16(len(header)))...)
	return append(append(b, header...), data...)
}

// member is a file of an archive.
type member struct {
	name string
	data []byte
}

// archive builds an NPZ, compressed; or stored, when change may alter each
// member's header before it is written.
func archive(change func(*zip.FileHeader), members ...member) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		if change == nil {
			f, _ := w.CreateHeader(h) // a buffer takes everything
			_, _ = f.Write(m.data)
			continue
		}
		h.Method, h.CompressedSize64, h.UncompressedSize64 = zip.Store, uint64(len(m.data)), uint64(len(m.data))
		h.CRC32 = crc32.ChecksumIEEE(m.data)
		change(h)
		f, _ := w.CreateRaw(h)
		_, _ = f.Write(m.data)
	}
	_ = w.Close()
	return b.Bytes()
}

func TestLoadNPZRefuses(t *testing.T) {
	x, y := npy("|u1", "(3, 2, 2)", bytesUpTo(12)), npy("|u1", "(3,)", []byte{2, 0, 1})
	xy := func(x, y []byte) []byte { return archive(nil, member{"x.npy", x}, member{"y.npy", y}) }
	good := xy(x, y)
	nan := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.Inf(-1))))
	huge := make([]byte, 8)
	binary.LittleEndian.PutUint64(huge, math.MaxUint64)
	for _, c := range []struct {
		name string
		file []byte
		says []string
	}{
		{"empty", nil, []string{"not a NumPy archive"}},
		{"a plain array", x, []string{"not a NumPy archive"}},
		{"cut short", good[:len(good)-30], []string{"not a NumPy archive"}},
		{"damaged elements", damage(archive(func(*zip.FileHeader) {}, member{"x.npy", x}, member{"y.npy", y}), "\x09\x0a\x0b"), []string{"x: ", "damaged", "checksum"}},
		{"objects", readTestdata(t, "objects.npz"), []string{"y: ", "Python objects", "save numbers"}},
		{"records", readTestdata(t, "records.npz"), []string{"y: ", "records"}},
		{"NaN", readTestdata(t, "nan.npz"), []string{"x: ", "image 1 has the value NaN (element 0)"}},
		{"infinity", xy(npy("<f4", "(1, 1, 1)", nan), npy("|u1", "(1,)", []byte{0})), []string{"x: ", "-Inf"}},
		{"no known names", archive(nil, member{"a.npy", x}, member{"b.npy", y}), []string{"train_images", "x_train"}},
		{"names of two kinds", archive(nil, member{"x.npy", x}, member{"y.npy", y}, member{"x_train.npy", x}), []string{"x_train", "which"}},
		{"no labels", archive(nil, member{"x.npy", x}), []string{"x is there, y is not"}},
		{"no images", archive(nil, member{"y.npy", y}), []string{"y is there, x is not"}},
		{"the same name twice", archive(nil, member{"x.npy", x}, member{"x.npy", x}, member{"y.npy", y}), []string{`"x.npy"`}},
		{"counts differ", xy(x, npy("|u1", "(2,)", []byte{2, 0})), []string{"y: ", "2 labels for 3 images"}},
		{"one-hot labels", xy(x, npy("|u1", "(3, 2)", make([]byte, 6))), []string{"y: ", "one-hot"}},
		{"labels of three dimensions", xy(x, npy("|u1", "(3, 1, 1)", make([]byte, 3))), []string{"y: ", "want [labels]"}},
		{"images in rows", xy(npy("|u1", "(3, 4)", bytesUpTo(12)), y), []string{"x: ", "want [images, height, width]"}},
		{"images of five dimensions", xy(npy("|u1", "(3, 2, 2, 1, 1)", bytesUpTo(12)), y), []string{"x: ", "want [images, height, width]"}},
		{"images of nothing", xy(npy("|u1", "(3, 0, 2)", nil), y), []string{"x: ", "hold nothing"}},
		{"no images at all", xy(npy("|u1", "(0, 2, 2)", nil), npy("|u1", "(0,)", nil)), []string{"x: ", "no images"}},
		{"float labels", xy(x, npy("<f4", "(3,)", make([]byte, 12))), []string{"y: ", "astype"}},
		{"negative label", xy(x, npy("|i1", "(3,)", []byte{0, 255, 1})), []string{"y: ", "label -1 of image 1", "out of range"}},
		{"label too large", xy(x, npy("<i4", "(3,)", []byte{0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0})), []string{"y: ", "label 65536 of image 1"}},
		{"label beyond int64", xy(npy("|u1", "(1, 1, 1)", []byte{0}), npy("<u8", "(1,)", huge)), []string{"y: ", "out of range"}},
		{"integer images", xy(npy("<i8", "(1, 1, 1)", huge), npy("|u1", "(1,)", []byte{0})), []string{"x: ", "astype"}},
		{"boolean images", xy(npy("|b1", "(3, 2, 2)", bytesUpTo(12)), y), []string{"x: ", "|b1"}},
		{"no array inside", xy([]byte("PK------------------------"), y), []string{"x: ", "not a NumPy array"}},
		{"unknown version", xy(append([]byte("\x93NUMPY\x04"), x[7:]...), y), []string{"x: ", "version 4"}},
		{"header cut short", xy(x[:20], y), []string{"x: ", "cut short"}},
		{"long header", xy(append([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), x...), y), []string{"x: ", "4294967295", "limit"}},
		{"fewer elements than declared", xy(x[:len(x)-1], y), []string{"x: ", "11 bytes of elements", "take 12"}},
		{"more elements than declared", xy(append(bytes.Clone(x), 7), y), []string{"x: ", "13 bytes of elements"}},
		{"huge dimensions", xy(npy("|u1", "(2147483647, 2147483647, 2147483647)", nil), npy("|u1", "(2147483647,)", nil)), []string{"x: ", "more than"}},
		{"more images than memory", xy(npy("<f8", "(1, 65536, 16385)", nil), npy("|u1", "(1,)", []byte{0})), []string{"x: ", "more than"}},
		{"a dimension beyond 2^31", xy(npy("|u1", "(4294967296, 4294967296)", nil), y), []string{"x: ", "2^31"}},
		{"a negative dimension", xy(npy("|u1", "(-3, 2, 2)", nil), y), []string{"x: ", "whole number"}},
		{"zip bomb", archive(nil, member{"x.npy", append(bytes.Clone(x), make([]byte, 1<<20)...)}, member{"y.npy", y}), []string{"x: ", "1048588 bytes of elements"}},
		{"zip that promises too much", archive(func(h *zip.FileHeader) { h.Method, h.UncompressedSize64 = zip.Deflate, 1<<40 },
			member{"x.npy", x}, member{"y.npy", y}), []string{"x: ", "cut short", "declares 1099511627776 bytes"}},
		{"zip that promises too little", archive(func(h *zip.FileHeader) { h.UncompressedSize64-- }, member{"x.npy", x}, member{"y.npy", y}), []string{"x: "}},
		{"unknown compression", archive(func(h *zip.FileHeader) { h.Method = 99 }, member{"x.npy", x}, member{"y.npy", y}), []string{"x: ", "compression"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := newFolder(t, map[string][]byte{"set.npz": c.file})
			_, err := Load("npz:set.npz", dir)
			wantInput(t, err, append(c.says, filepath.Join(dir, "set.npz"))...)
		})
	}
}

// damage changes the first byte of where text stands.
func damage(file []byte, text string) []byte {
	file = bytes.Clone(file)
	file[bytes.Index(file, []byte(text))]++
	return file
}

func TestNPYHeader(t *testing.T) {
	for _, header := range []string{
		"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
		`{"shape":(2,),"fortran_order":True,"descr":"<f4"}`,
		"{'descr': '<f4', 'fortran_order': False, 'shape': (2L,), }   \n", // of Python 2
		"  {  'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 2 ) }",
	} {
		h, consumed, err := readNPYHeader(bytes.NewReader(npyOf(header, nil)))
		if err != nil || h.elements() != 2 || h.kind != 'f' || h.size != 4 || consumed != int64(10+len(header)) {
			t.Errorf("%s: got %+v, %d bytes, error %v", header, h, consumed, err)
		}
	}
	for _, header := range []string{
		"", "{", "{}", "()", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,",
		"{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}", "{'descr': '<f4', 'fortran_order': false, 'shape': (2,)}",
		"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", "{'descr': '<f4', 'fortran_order': False, 'shape': [2]}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (2.0,)}", "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (,)}", "{'descr': '<f4', 'fortran_order': False, 'shape': 2}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} 1", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'descr': '<f8'}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'extra': '<f8'}", "{'descr': '<f4\\'', 'fortran_order': False, 'shape': (2,)}",
		"{'descr': '<f4", "{'descr': '<f16', 'fortran_order': False, 'shape': (2,)}", "{'descr': '<c8', 'fortran_order': False, 'shape': (2,)}",
		"{'descr': '', 'fortran_order': False, 'shape': (2,)}", "{'descr': 'O', 'fortran_order': False, 'shape': (2,)}",
		"{'descr': '<U5', 'fortran_order': False, 'shape': (2,)}", strings.Repeat("{", 1000),
	} {
		if h, _, err := readNPYHeader(bytes.NewReader(npyOf(header, nil))); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got %+v, error %v, want one of class Input", header, h, err)
		}
	}
}

// FuzzNPZ checks that an archive of two fuzzed arrays gives a set or a clear
// error.
func FuzzNPZ(f *testing.F) {
	f.Add(npy("|u1", "(3, 2, 2)", bytesUpTo(12)), npy("|u1", "(3,)", []byte{2, 0, 1}), true)
	f.Add(npyOf("{'descr': '>f8', 'fortran_order': True, 'shape': (1, 2, 1, 2), }", make([]byte, 32)), npy("<i8", "(1, 1)", make([]byte, 8)), false)
	f.Add(npy("<f2", "(2147483647, 2, 2)", nil), npy("|O", "(2147483647,)", nil), false)
	f.Fuzz(func(t *testing.T, x, y []byte, stored bool) {
		var change func(*zip.FileHeader)
		if stored {
			change = func(*zip.FileHeader) {}
		}
		raw := archive(change, member{"x.npy", x}, member{"y.npy", y})
		checkSplit(t)(decodeNPZ(bytes.NewReader(raw), int64(len(raw))))
	})
}

// FuzzNPZArchive fuzzes the archive itself.
func FuzzNPZArchive(f *testing.F) {
	for _, name := range []string{"stored.npz", "compressed.npz", "fortran4.npz", "objects.npz"} {
		f.Add(readTestdata(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkSplit(t)(decodeNPZ(bytes.NewReader(raw), int64(len(raw))))
	})
}

// checkSplit returns a function that checks what a decoder gave: a split that
// can be used, or an error of class Input.
func checkSplit(t *testing.T) func(Split, error) {
	return func(split Split, err error) {
		t.Helper()
		if err != nil {
			wantInput(t, err)
			return
		}
		for _, s := range split.sets() {
			x, y := gather(s.All())
			for _, v := range x {
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
					t.Fatalf("the value %v got in", v)
				}
			}
			for _, label := range y {
				if label < 0 || int(label) >= s.Classes() {
					t.Fatalf("label %d of %d classes", label, s.Classes())
				}
			}
			if len(s.Digest()) != 64 || s.Classes() != split.sets()[0].Classes() {
				t.Fatalf("digest %q, %d classes", s.Digest(), s.Classes())
			}
		}
	}
}
