package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/testdata"
)

// idx builds a file: 00 00, the element type, the number of dimensions, the
// dimensions, data.
func idx(kind byte, data []byte, dims ...uint32) []byte {
	b := []byte{0, 0, kind, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, data...)
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data) // a buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

func TestLoadIDX(t *testing.T) {
	images, labels := idx(8, bytesUpTo(12), 3, 2, 2), idx(8, []byte{2, 0, 1}, 3)
	for _, c := range []struct {
		name            string
		files           map[string][]byte
		train, val, tst bool
	}{
		{"as MNIST is published", map[string][]byte{
			"train-images-idx3-ubyte.gz": gzipped(images), "train-labels-idx1-ubyte.gz": gzipped(labels),
			"t10k-images-idx3-ubyte.gz": gzipped(images), "t10k-labels-idx1-ubyte.gz": gzipped(labels)}, true, false, true},
		{"unpacked, with dots", map[string][]byte{"train-images.idx3-ubyte": images, "train-labels.idx1-ubyte": labels}, true, false, false},
		{"as EMNIST is published", map[string][]byte{
			"emnist-letters-train-images-idx3-ubyte": images, "emnist-letters-train-labels-idx1-ubyte": labels,
			"emnist-letters-test-images-idx3-ubyte": images, "emnist-letters-test-labels-idx1-ubyte": labels}, true, false, true},
		{"all parts, and other files", map[string][]byte{
			"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels, "val-images-idx3-ubyte": images, "val-labels-idx1-ubyte": labels,
			"test-images-idx3-ubyte": images, "test-labels-idx1-ubyte": labels, "README.md": nil, "train-images-idx3-ubyte.gz.part": nil}, true, true, true},
		{"compressed and not", map[string][]byte{
			"train-images-idx3-ubyte": images, "train-images-idx3-ubyte.gz": []byte("not looked at"), "train-labels-idx1-ubyte": labels}, true, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			split := load(t, "idx:%s", newFolder(t, c.files))
			for i, want := range []bool{c.train, c.val, c.tst} {
				set := []*Set{split.Train, split.Val, split.Test}[i]
				if got := set != nil; got != want {
					t.Fatalf("part %d: there: %v, want %v", i, got, want)
				}
				if set != nil {
					wantSet(t, "images", set, [3]int{2, 2, 1}, upTo(12), 255, []int32{2, 0, 1})
				}
			}
		})
	}
	t.Run("colour", func(t *testing.T) {
		split := load(t, "idx:%s", newFolder(t, map[string][]byte{
			"train-images-idx4-ubyte": idx(8, bytesUpTo(24), 2, 2, 2, 3), "train-labels-idx1-ubyte": idx(8, []byte{0, 1}, 2)}))
		wantSet(t, "train", split.Train, [3]int{2, 2, 3}, upTo(24), 255, []int32{0, 1})
	})
}

func TestLoadIDXRefuses(t *testing.T) {
	images, labels := idx(8, bytesUpTo(12), 3, 2, 2), idx(8, []byte{2, 0, 1}, 3)
	zipped := gzipped(images)
	damaged := bytes.Clone(zipped)
	damaged[len(damaged)-6]++ // in the checksum
	for _, c := range []struct {
		name           string
		images, labels []byte
		says           []string
	}{
		{"empty", []byte{}, labels, []string{"images", "cut short"}},
		{"header cut short", images[:10], labels, []string{"images", "cut short"}},
		{"elements cut short", images[:20], labels, []string{"images", "cut short"}},
		{"elements missing", images[:len(images)-1], labels, []string{"images", "cut short"}},
		{"too many elements", append(bytes.Clone(images), 7), labels, []string{"images", "more data"}},
		{"labels cut short", images, labels[:9], []string{"labels", "cut short"}},
		{"gzip cut short", zipped[:len(zipped)-9], labels, []string{"images", "cut short"}},
		{"gzip damaged", damaged, labels, []string{"images", "damaged"}},
		{"gzip header damaged", []byte{0x1f, 0x8b, 9, 9}, labels, []string{"images", "gzip"}},
		{"gzip after gzip", append(bytes.Clone(zipped), zipped...), labels, []string{"images", "more data"}},
		{"gzip bomb", gzipped(idx(8, make([]byte, 1<<20), 3, 2, 2)), labels, []string{"images", "more data"}},
		{"gzip that promises too much", gzipped(idx(8, nil, 3, 1<<15, 1<<15)), labels, []string{"images", "cut short"}},
		{"larger than is read", gzipped(idx(8, nil, 1<<16, 1<<16, 2)), labels, []string{"images", "more than"}},
		{"dimensions that overflow to a negative number", idx(8, nil, 1<<16, 1<<16, 1<<32-1), labels, []string{"images", "more than"}},
		{"dimensions that overflow to nothing", idx(8, nil, 1<<31, 1<<31, 4, 1), labels, []string{"images", "more than"}},
		{"magic number of nothing", append([]byte("PK"), images[2:]...), labels, []string{"images", "not IDX", "magic"}},
		{"element type", idx(0x0d, bytesUpTo(48), 3, 2, 2), labels, []string{"images", "0x0d", "unsigned bytes"}},
		{"two dimensions", idx(8, bytesUpTo(12), 3, 4), labels, []string{"images", "2 dimensions"}},
		{"labels for images", labels, labels, []string{"images", "0x801"}},
		{"images for labels", images, images, []string{"labels", "0x803"}},
		{"counts differ", images, idx(8, []byte{2, 0}, 2), []string{"3 images", "2 labels", "images", "labels"}},
		{"no images", idx(8, nil, 0, 2, 2), idx(8, nil, 0), []string{"images", "no images"}},
		{"images of nothing", idx(8, nil, 3, 0, 2), labels, []string{"images", "hold nothing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := newFolder(t, map[string][]byte{"train-images-idx3-ubyte": c.images, "train-labels-idx1-ubyte": c.labels})
			_, err := Load("idx:"+dir, "")
			wantInput(t, err, append(c.says, dir)...)
		})
	}
	for _, c := range []struct {
		name, ref string
		files     map[string][]byte
		says      string
	}{
		{"no files", "idx", nil, "no IDX files"},
		{"no labels", "idx", map[string][]byte{"train-images-idx3-ubyte": images}, "no labels beside it"},
		{"no images", "idx", map[string][]byte{"train-labels-idx1-ubyte": labels}, "no images beside it"},
		{"two sets", "idx", map[string][]byte{"train-images-idx3-ubyte": images, "emnist-train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels}, "which are"},
		{"test and t10k", "idx", map[string][]byte{"test-labels-idx1-ubyte": labels, "t10k-labels-idx1-ubyte": labels}, "which are"},
		{"parts of two sizes", "idx", map[string][]byte{"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels,
			"test-images-idx3-ubyte": idx(8, bytesUpTo(12), 3, 4, 1), "test-labels-idx1-ubyte": labels}, "in one data set"},
		{"MNIST of another size", "mnist", map[string][]byte{"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels,
			"test-images-idx3-ubyte": images, "test-labels-idx1-ubyte": labels}, "28×28×1"},
		{"MNIST without test images", "mnist", map[string][]byte{"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels}, "lacks"},
		{"MNIST without labels", "mnist", map[string][]byte{"train-images-idx3-ubyte": images}, "`accord data fetch mnist --out FOLDER` gets them"},
		{"MNIST with a label of 10", "mnist", map[string][]byte{"train-images-idx3-ubyte": idx(8, make([]byte, 784), 1, 28, 28), "train-labels-idx1-ubyte": idx(8, []byte{9}, 1),
			"test-images-idx3-ubyte": idx(8, make([]byte, 784), 1, 28, 28), "test-labels-idx1-ubyte": idx(8, []byte{10}, 1)}, "label 10 of image 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := newFolder(t, c.files)
			_, err := Load(c.ref, dir)
			wantInput(t, err, c.says, dir)
		})
	}
	t.Run("no folder", func(t *testing.T) {
		_, err := Load("idx:none", t.TempDir())
		wantInput(t, err, "none")
	})
	t.Run("a folder for a file", func(t *testing.T) {
		dir := newFolder(t, map[string][]byte{"train-images-idx3-ubyte/x": nil, "train-labels-idx1-ubyte": labels})
		_, err := Load("idx:"+dir, "")
		wantInput(t, err, "train-images-idx3-ubyte is not a file")
	})
}

func TestMNIST(t *testing.T) {
	dir := testdata.Dir(t, "data/mnist")
	split, err := Load("mnist", dir)
	if err != nil {
		t.Fatal(err)
	}
	if split.Train.Len() != 60_000 || split.Test.Len() != 10_000 || split.Val != nil || split.Train.Classes() != 10 || split.Test.Shape() != [3]int{28, 28, 1} {
		t.Errorf("got %d and %d images, want 60,000 and 10,000", split.Train.Len(), split.Test.Len())
	}
	if diff := cmp.Diff([]int32{5, 0, 4, 1, 9}, split.Train.Labels()[:5]); diff != "" {
		t.Errorf("first labels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949}, split.Train.All().Counts()); diff != "" {
		t.Errorf("images of each digit (-want +got):\n%s", diff)
	}
}

// FuzzIDX checks that what is accepted is as large as its dimensions say.
func FuzzIDX(f *testing.F) {
	f.Add(idx(8, bytesUpTo(12), 3, 2, 2))
	f.Add(idx(8, []byte{2, 0, 1}, 3))
	f.Add(gzipped(idx(8, bytesUpTo(24), 2, 2, 2, 3)))
	f.Add(idx(8, nil, 1<<16, 1<<16, 1<<32-1))
	f.Add(idx(8, nil, 0, 1<<31, 1<<31))
	f.Add([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3})
	f.Fuzz(func(t *testing.T, raw []byte) {
		shape, data, err := decodeIDX(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			wantInput(t, err)
			return
		}
		n := 1
		for _, d := range shape {
			n *= d
		}
		if n != len(data) {
			t.Fatalf("shape %v, but %d elements", shape, len(data))
		}
		if len(shape) == 1 {
			return
		}
		// Elements of any number may be images, if there is a label for each.
		hwc := [3]int{shape[1], shape[2], 1}
		if len(shape) == 4 {
			hwc[2] = shape[3]
		}
		if s, err := FromBytes(hwc, data, make([]int32, min(shape[0], 1<<16))); err != nil {
			wantInput(t, err)
		} else if s.Len()*s.size() != len(data) {
			t.Fatalf("a set of %d images of %v from %d elements", s.Len(), hwc, len(data))
		}
	})
}
