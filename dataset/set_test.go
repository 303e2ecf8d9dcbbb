package dataset

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSetRefuses(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name   string
		shape  [3]int
		pixels []byte
		values []float32
		labels []int32
		says   string
	}{
		{"no images", [3]int{1, 1, 1}, []byte{}, nil, nil, "no images"},
		{"no height", [3]int{0, 1, 1}, []byte{}, nil, []int32{0}, "hold nothing"},
		{"negative width", [3]int{1, -1, 1}, []byte{0}, nil, []int32{0}, "hold nothing"},
		{"too few pixels", [3]int{2, 2, 1}, make([]byte, 7), nil, []int32{0, 1}, "2 labels, but 7 values"},
		{"too few images", [3]int{2, 2, 1}, make([]byte, 4), nil, []int32{0, 1}, "2 labels, but 4 values"},
		{"too many images", [3]int{2, 2, 1}, make([]byte, 12), nil, []int32{0, 1}, "2 labels, but 12 values"},
		{"no pixels", [3]int{2, 2, 1}, []byte{}, nil, []int32{0, 1}, "2 labels, but 0 values"},
		{"a size that overflows to 0", [3]int{1 << 32, 1 << 32, 1}, make([]byte, 4), nil, []int32{0}, "1 labels"},
		{"a size that overflows to 1", [3]int{math.MaxInt, math.MaxInt, 1}, make([]byte, 4), nil, []int32{0, 0, 0, 0}, "4 labels"},
		{"negative label", [3]int{1, 1, 1}, []byte{0, 0}, nil, []int32{0, -1}, "label -1 of image 1"},
		{"large label", [3]int{1, 1, 1}, []byte{0, 0}, nil, []int32{0, MaxClasses}, "label 65536 of image 1"},
		{"NaN", [3]int{1, 2, 1}, nil, []float32{0, 0, 0, nan}, []int32{0, 0}, "image 1 has the value NaN (element 1)"},
		{"infinity", [3]int{1, 2, 1}, nil, []float32{0, float32(math.Inf(1)), 0, 0}, []int32{0, 0}, "image 0 has the value +Inf (element 1)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			if c.values != nil {
				_, err = FromFloats(c.shape, c.values, c.labels)
			} else {
				_, err = FromBytes(c.shape, c.pixels, c.labels)
			}
			wantInput(t, err, c.says)
		})
	}
}

func TestView(t *testing.T) {
	s := mustSet(t, [3]int{1, 2, 1}, []byte{0, 51, 102, 153, 204, 255}, nil, []int32{4, 0, 4})
	v := s.View([]int{2, 0, 2})
	if v.Len() != 3 || v.Shape() != [3]int{1, 2, 1} || v.Classes() != 5 || v.Label(1) != 4 {
		t.Errorf("got %d images of %v in %d classes", v.Len(), v.Shape(), v.Classes())
	}
	if diff := cmp.Diff([]int{0, 0, 0, 0, 3}, v.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{0, 1, 2}, s.All().Indices()); diff != "" {
		t.Errorf("indices of all (-want +got):\n%s", diff)
	}
	x, y := make([]float32, 4), make([]int32, 2)
	v.Gather(x, y, []int{1, 2})
	if diff := cmp.Diff([]float32{0, 51. / 255, 204. / 255, 1}, x) + cmp.Diff([]int32{4, 4}, y); diff != "" {
		t.Errorf("gathered (-want +got):\n%s", diff)
	}
	for name, f := range map[string]func(){
		"an index too large": func() { s.View([]int{3}) },
		"a negative index":   func() { s.View([]int{-1}) },
		"x too short":        func() { v.Gather(x[:3], y, []int{0, 1}) },
		"y too long":         func() { v.Gather(x, make([]int32, 3), []int{0, 1}) },
		"beyond the view":    func() { v.Gather(x, y, []int{0, 3}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// The digest tells sets apart by all that training depends on.
func TestDigest(t *testing.T) {
	base := func() *Set { return mustSet(t, [3]int{1, 2, 1}, []byte{1, 2, 3, 4}, nil, []int32{0, 1}) }
	sets := map[string]*Set{
		"base":        base(),
		"pixels":      mustSet(t, [3]int{1, 2, 1}, []byte{1, 2, 3, 5}, nil, []int32{0, 1}),
		"labels":      mustSet(t, [3]int{1, 2, 1}, []byte{1, 2, 3, 4}, nil, []int32{1, 0}),
		"shape":       mustSet(t, [3]int{2, 1, 1}, []byte{1, 2, 3, 4}, nil, []int32{0, 1}),
		"floats":      mustSet(t, [3]int{1, 2, 1}, nil, []float32{1, 2, 3, 4}, []int32{0, 1}),
		"other float": mustSet(t, [3]int{1, 2, 1}, nil, []float32{1, 2, 3, 4.5}, []int32{0, 1}),
	}
	classes := base()
	classes.classes = 10
	sets["classes"] = classes
	seen := map[string]string{}
	for name, s := range sets {
		if other, ok := seen[s.Digest()]; ok {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		seen[s.Digest()] = name
	}
	if got, want := base().Digest(), sets["base"].Digest(); got != want {
		t.Errorf("equal sets: got digests %s and %s", got, want)
	}
}

func TestNewSplit(t *testing.T) {
	train := mustSet(t, [3]int{1, 1, 1}, []byte{1}, nil, []int32{0})
	test := mustSet(t, [3]int{1, 1, 1}, nil, []float32{1}, []int32{6})
	test.names = []string{"a", "b", "c", "d", "e", "f", "g"}
	split, err := NewSplit(train, nil, test)
	if err != nil {
		t.Fatal(err)
	}
	if split.Train.Classes() != 7 || split.Test.Classes() != 7 || !cmp.Equal(split.Train.ClassNames(), test.names) {
		t.Errorf("got %d and %d classes, names %q", split.Train.Classes(), split.Test.Classes(), split.Train.ClassNames())
	}
	_, err = NewSplit(nil, nil, nil)
	wantInput(t, err, "no images")
	_, err = NewSplit(train, mustSet(t, [3]int{1, 1, 3}, []byte{1, 2, 3}, nil, []int32{0}), nil)
	wantInput(t, err, "1×1×1", "1×1×3", "one size")
}

func TestLoadRefuses(t *testing.T) {
	dir := newFolder(t, map[string][]byte{"file": nil})
	for _, c := range []struct{ name, ref, dir, says string }{
		{"unknown", "cifar", dir, "there are digits, mnist"},
		{"empty", "", dir, "there are digits"},
		{"no path", "npz:", "", "say where"},
		{"no folder", "mnist", "", "say where"},
		{"digits with a file", "digits:file", dir, "drawn on the spot"},
		{"no such file", "npz:none.npz", dir, "none.npz"},
		{"a folder for a file", "safetensors:" + dir, "", "is not a file"},
		{"a file for a folder", "images:file", dir, "file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(c.ref, c.dir)
			wantInput(t, err, c.says)
		})
	}
}

func TestLoadTakesPathsFromTheFolder(t *testing.T) {
	path, err := filepath.Abs(filepath.Join("testdata", "half.npz"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"npz:half.npz", "testdata"}, {"npz", path}, {"npz:" + path, "elsewhere"}, {"npz:testdata/half.npz", ""}, {"npz:../testdata/half.npz", "testdata"}} {
		if _, err := Load(c[0], c[1]); err != nil && !strings.Contains(c[0], "..") || err != nil && filepath.Separator == '/' {
			t.Errorf("%v: %v", c, err)
		}
	}
}
