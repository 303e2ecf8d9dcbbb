package dataset

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/accord-fl/accord/internal/fault"
)

// Split is what one source holds: images to train on, to choose by and to
// measure on. Parts that the source lacks are nil, but at least one is there.
// All parts have the same shape and number of classes.
type Split struct {
	Train, Val, Test *Set
}

// NewSplit puts sets together. Their shapes must agree; each set's number of
// classes becomes that of the largest, so no other split may hold them.
func NewSplit(train, val, test *Set) (Split, error) {
	split := Split{Train: train, Val: val, Test: test}
	sets := split.sets()
	if len(sets) == 0 {
		return Split{}, fault.Inputf("no images")
	}
	classes, names := 0, []string(nil)
	for _, s := range sets {
		if s.shape != sets[0].shape {
			a, b := sets[0].shape, s.shape
			return Split{}, fault.Inputf("images of %d×%d×%d and of %d×%d×%d in one data set: bring them to one size first", a[0], a[1], a[2], b[0], b[1], b[2])
		}
		classes = max(classes, s.classes)
		if len(s.names) > len(names) {
			names = s.names
		}
	}
	for _, s := range sets {
		s.classes, s.names = classes, names
	}
	return split, nil
}

// sets returns the parts that are there.
func (s Split) sets() []*Set {
	var sets []*Set
	for _, set := range []*Set{s.Train, s.Val, s.Test} {
		if set != nil {
			sets = append(sets, set)
		}
	}
	return sets
}

// Load reads the data set that ref names:
//
//	digits                drawn on the spot, DefaultDigits
//	mnist                 the four MNIST files in dir
//	idx:DIR               IDX files, found by the ends of their names
//	npz:FILE              NumPy arrays
//	safetensors:FILE      tensors
//	images:DIR            PNG, JPEG, GIF or BMP files, a folder a class
//
// A relative DIR or FILE is taken from dir, which may be empty; without one
// ("idx") dir itself is meant. Whatever is wrong with the data gives an error
// of class fault.Input.
func Load(ref, dir string) (Split, error) {
	kind, path, _ := strings.Cut(ref, ":")
	switch {
	case path == "":
		path = dir
	case !filepath.IsAbs(path):
		path = filepath.Join(dir, path)
	}
	load, err := loader(kind)
	if err != nil {
		return Split{}, err
	}
	if path == "" && kind != "digits" {
		return Split{}, fault.Inputf("data set %q: say where the data lies", ref)
	}
	split, err := load(path)
	if err != nil {
		return Split{}, fmt.Errorf("data set %s: %w", kind, err) // which names the path
	}
	return split, nil
}

// loader returns what reads data sets of the given kind from a path.
func loader(kind string) (func(path string) (Split, error), error) {
	switch kind {
	case "digits":
		return loadDigits, nil
	case "mnist":
		return loadMNIST, nil
	case "idx":
		return loadIDX, nil
	case "npz":
		return loadNPZ, nil
	case "safetensors":
		return loadSafetensors, nil
	case "images":
		return loadImages, nil
	}
	return nil, fault.Inputf("unknown data set %q; there are digits, mnist, idx:DIR, npz:FILE, safetensors:FILE and images:DIR", kind)
}
