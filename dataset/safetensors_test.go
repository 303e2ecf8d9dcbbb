package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tensorFile builds a safetensors file: the header's length, the header, data.
func tensorFile(header string, data []byte) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

func TestLoadSafetensorsRefuses(t *testing.T) {
	const x = `"x":{"dtype":"U8","shape":[3,2,2],"data_offsets":[0,12]}`
	const y = `"y":{"dtype":"U8","shape":[3],"data_offsets":[12,15]}`
	data := append(bytesUpTo(12), 2, 0, 1)
	meta := func(pairs string) string { return `{"__metadata__":{` + pairs + `},` + x + `,` + y + `}` }
	nan := []byte{0, 0, 0xc0, 0x7f, 0}
	for _, c := range []struct {
		name string
		file []byte
		says []string
	}{
		{"empty", nil, []string{"too few"}},
		{"cut short", tensorFile(`{`+x+`,`+y+`}`, data[:14]), []string{"beyond"}},
		{"header that lies about offsets", tensorFile(`{`+x+`,"y":{"dtype":"U8","shape":[3],"data_offsets":[9,12]}}`, data[:12]), []string{"overlap"}},
		{"header that lies about the shape", tensorFile(`{"x":{"dtype":"U8","shape":[3,2,9],"data_offsets":[0,12]},`+y+`}`, data), []string{`"x"`, "takes 54 bytes"}},
		{"no known names", tensorFile(`{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}`, data[:3]), []string{"train_images"}},
		{"no labels", tensorFile(`{`+x+`}`, data[:12]), []string{"x is there, y is not"}},
		{"counts differ", tensorFile(`{`+x+`,"y":{"dtype":"U8","shape":[2],"data_offsets":[12,14]}}`, data[:14]), []string{"y: ", "2 labels for 3 images"}},
		{"float labels", tensorFile(`{`+x+`,"y":{"dtype":"F32","shape":[3],"data_offsets":[12,24]}}`, append(bytesUpTo(12), make([]byte, 12)...)), []string{"y: ", "F32", "integers"}},
		{"negative label", tensorFile(`{`+x+`,"y":{"dtype":"I8","shape":[3],"data_offsets":[12,15]}}`, append(bytesUpTo(12), 0, 0, 255)), []string{"y: ", "label -1 of image 2"}},
		{"integer images", tensorFile(`{"x":{"dtype":"I32","shape":[1,1,1],"data_offsets":[0,4]},"y":{"dtype":"U8","shape":[1],"data_offsets":[4,5]}}`, make([]byte, 5)), []string{"x: ", "I32"}},
		{"NaN", tensorFile(`{"x":{"dtype":"F32","shape":[1,1,1],"data_offsets":[0,4]},"y":{"dtype":"U8","shape":[1],"data_offsets":[4,5]}}`, nan), []string{"x: ", "image 0 has the value NaN"}},
		{"no images", tensorFile(`{"x":{"dtype":"U8","shape":[0,4611686018427387904,4],"data_offsets":[0,0]},"y":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, nil), []string{"x: ", "no images"}},
		{"a shape whose size overflows", tensorFile(`{"x":{"dtype":"U8","shape":[1,4294967296,4294967296],"data_offsets":[0,0]},"y":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, []byte{0}), []string{"x", "overflow"}},
		{"fewer classes than labels", tensorFile(meta(`"accord.classes":"2"`), data), []string{"accord.classes", `"2"`, "labels go up to 2"}},
		{"too many classes", tensorFile(meta(`"accord.classes":"65537"`), data), []string{"accord.classes"}},
		{"classes that are no number", tensorFile(meta(`"accord.classes":"ten"`), data), []string{"accord.classes", `"ten"`}},
		{"another number of names", tensorFile(meta(`"accord.classes":"3","accord.class_names":"[\"a\",\"b\"]"`), data), []string{"accord.class_names", "3 classes"}},
		{"names that are no list", tensorFile(meta(`"accord.classes":"3","accord.class_names":"a"`), data), []string{"accord.class_names"}},
		{"a name that clears the screen", tensorFile(meta(`"accord.classes":"3","accord.class_names":"[\"a\",\"b\",\"\\u001b[2J\"]"`), data), []string{"accord.class_names", `"\x1b[2J"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := newFolder(t, map[string][]byte{"set.safetensors": c.file})
			_, err := Load("safetensors:set.safetensors", dir)
			wantInput(t, err, append(c.says, filepath.Join(dir, "set.safetensors"))...)
		})
	}
}

// Load gives back what was written, bit for bit, and the same views give the
// same bytes.
func TestWriteSafetensors(t *testing.T) {
	pixels := mustSet(t, [3]int{2, 2, 1}, bytesUpTo(16), nil, []int32{1, 0, 1, 2})
	values := mustSet(t, [3]int{2, 2, 1}, nil, []float32{0.1, -1e-30, 3, 1 << 30, 0, 0, 0, 0}, []int32{5, 0})
	split, err := NewSplit(pixels, values, mustSet(t, [3]int{2, 2, 1}, bytesUpTo(8), nil, []int32{0, 0}))
	if err != nil {
		t.Fatal(err)
	}
	named := mustSet(t, [3]int{1, 1, 1}, bytesUpTo(2), nil, []int32{0, 1})
	named.classes, named.names = 3, []string{"cat", "dog", `a "quoted" näme`}
	for _, c := range []struct {
		name  string
		views Views
	}{
		{"all parts", Views{split.Train.All(), split.Val.All(), split.Test.All()}},
		{"some, in another order, of one class", Views{Train: split.Train.View([]int{2, 0, 2})}},
		{"floats", Views{Val: split.Val.View([]int{1, 0})}},
		{"class names", Views{Test: named.All()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "set.safetensors")
			if err := WriteSafetensors(path, c.views); err != nil {
				t.Fatal(err)
			}
			read := load(t, "safetensors:%s", path)
			for i, want := range []*View{c.views.Train, c.views.Val, c.views.Test} {
				set := []*Set{read.Train, read.Val, read.Test}[i]
				if (set != nil) != (want != nil) {
					t.Fatalf("part %d: there: %v", i, set != nil)
				}
				if set == nil {
					continue
				}
				if set.Classes() != want.Classes() || !cmp.Equal(set.ClassNames(), want.set.ClassNames()) || (set.values == nil) != (want.set.values == nil) {
					t.Errorf("part %d: got %d classes %q, want %d classes %q", i, set.Classes(), set.ClassNames(), want.Classes(), want.set.ClassNames())
				}
				wantX, wantY := gather(want)
				gotX, gotY := gather(set.All())
				if diff := cmp.Diff(wantX, gotX) + cmp.Diff(wantY, gotY); diff != "" {
					t.Errorf("part %d (-want +got):\n%s", i, diff)
				}
			}
			again := filepath.Join(dir, "again.safetensors")
			if err := WriteSafetensors(again, Views{all(read.Train), all(read.Val), all(read.Test)}); err != nil {
				t.Fatal(err)
			}
			first, err1 := os.ReadFile(path)
			second, err2 := os.ReadFile(again)
			if err1 != nil || err2 != nil || !bytes.Equal(first, second) {
				t.Errorf("errors %v, %v, or what was read is written differently", err1, err2)
			}
		})
	}
}

func all(s *Set) *View {
	if s == nil {
		return nil
	}
	return s.All()
}

func TestWriteSafetensorsRefuses(t *testing.T) {
	set := mustSet(t, [3]int{2, 2, 1}, bytesUpTo(8), nil, []int32{0, 1})
	wide := mustSet(t, [3]int{1, 4, 1}, bytesUpTo(8), nil, []int32{0, 1})
	more := mustSet(t, [3]int{2, 2, 1}, bytesUpTo(8), nil, []int32{0, 2})
	for name, views := range map[string]Views{
		"nothing":         {},
		"no images":       {Train: set.View(nil)},
		"shapes differ":   {Train: set.All(), Test: wide.All()},
		"classes differ":  {Train: set.All(), Test: more.All()},
		"an empty second": {Train: set.All(), Test: set.View(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "set.safetensors")
			wantInput(t, WriteSafetensors(path, views), path)
			if left := list(t, dir); left != nil {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// mustSet builds a set of pixels or, when there are none, of values.
func mustSet(t *testing.T, shape [3]int, pixels []byte, values []float32, labels []int32) *Set {
	t.Helper()
	var s *Set
	var err error
	if pixels != nil {
		s, err = FromBytes(shape, pixels, labels)
	} else {
		s, err = FromFloats(shape, values, labels)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// FuzzSafetensors checks that a file gives a set or a clear error.
func FuzzSafetensors(f *testing.F) {
	f.Add(readTestdata(f, "numpy.safetensors"))
	f.Add(tensorFile(`{"__metadata__":{"accord.classes":"3","accord.class_names":"[\"a\",\"b\",\"c\"]"},"x":{"dtype":"F16","shape":[1,1,1,2],"data_offsets":[0,4]},"y":{"dtype":"I64","shape":[1,1],"data_offsets":[4,12]}}`, make([]byte, 12)))
	f.Add(tensorFile(fmt.Sprintf(`{"x":{"dtype":"U8","shape":[0,%d,4],"data_offsets":[0,0]},"y":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, 1<<62), nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkSplit(t)(decodeSafetensors(bytes.NewReader(raw), int64(len(raw))))
	})
}
