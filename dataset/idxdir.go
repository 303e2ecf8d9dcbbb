package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/accord-fl/accord/internal/fault"
)

// idxName recognises the files of an IDX set by the ends of their names, as
// MNIST and its relatives are published: train-images-idx3-ubyte.gz,
// train-images.idx3-ubyte, emnist-letters-test-labels-idx1-ubyte, …
var idxName = regexp.MustCompile(`^(?:.*[-_.])?(train|val|t10k|test)-(images|labels)[-.]idx[134]-ubyte(\.gz)?$`)

// loadIDX reads the IDX files in dir.
func loadIDX(dir string) (Split, error) {
	files, err := findIDX(dir)
	if err != nil {
		return Split{}, err
	}
	sets := map[string]*Set{}
	for _, part := range []string{"train", "val", "test"} {
		images, labels := files[part+" images"], files[part+" labels"]
		switch {
		case images == "" && labels == "":
			continue
		case images == "":
			return Split{}, fault.Inputf("%s has no images beside it: %w", labels, fs.ErrNotExist)
		case labels == "":
			return Split{}, fault.Inputf("%s has no labels beside it: %w", images, fs.ErrNotExist)
		}
		if sets[part], err = readIDXPair(images, labels); err != nil {
			return Split{}, err
		}
	}
	if len(sets) == 0 {
		return Split{}, fault.Inputf("no IDX files in %s (train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-…): %w", dir, fs.ErrNotExist)
	}
	split, err := NewSplit(sets["train"], sets["val"], sets["test"])
	if err != nil {
		return Split{}, fmt.Errorf("%s: %w", dir, err)
	}
	return split, nil
}

// findIDX returns the path for each "part kind" in dir. A file that is there
// both compressed and not counts once.
func findIDX(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fault.As(fault.Input, err)
	}
	files := map[string]string{}
	for _, e := range entries {
		m := idxName.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		part, kind := m[1], m[2]
		if part == "t10k" {
			part = "test"
		}
		path := filepath.Join(dir, e.Name())
		other := files[part+" "+kind]
		if other != "" && strings.TrimSuffix(other, ".gz") != strings.TrimSuffix(path, ".gz") {
			return nil, fault.Inputf("%s and %s: which are the %s %s? Leave one data set in the folder", other, path, part, kind)
		}
		if other == "" { // entries are sorted, so the plain file comes before the .gz
			files[part+" "+kind] = path
		}
	}
	return files, nil
}

// readIDXPair reads one file of images, [n, h, w] or [n, h, w, c], and one of
// labels, [n].
func readIDXPair(images, labels string) (*Set, error) {
	shape, pixels, err := readIDX(images)
	if err != nil {
		return nil, err
	}
	if len(shape) == 1 {
		return nil, fault.Inputf("%s: magic number 0x801 of labels, want 0x803 or 0x804 of images", images)
	}
	n, raw, err := readIDX(labels)
	if err != nil {
		return nil, err
	}
	if len(n) != 1 {
		return nil, fault.Inputf("%s: magic number 0x80%d of images, want 0x801 of labels", labels, len(n))
	}
	if n[0] != shape[0] {
		return nil, fault.Inputf("%s holds %d images, but %s holds %d labels", images, shape[0], labels, n[0])
	}
	values := make([]int32, len(raw))
	for i, b := range raw {
		values[i] = int32(b)
	}
	hwc := [3]int{shape[1], shape[2], 1}
	if len(shape) == 4 {
		hwc[2] = shape[3]
	}
	set, err := FromBytes(hwc, pixels, values)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", images, err)
	}
	return set, nil
}

// loadMNIST reads the four files of MNIST, or of a set made in its image such
// as Fashion-MNIST, and holds them to it.
func loadMNIST(dir string) (Split, error) {
	split, err := loadIDX(dir)
	if err == nil && (split.Train == nil || split.Test == nil) {
		err = fault.Inputf("%s lacks the training or the test files (train-…, t10k-…): %w", dir, fs.ErrNotExist)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return Split{}, fmt.Errorf("%w; `accord data fetch mnist --out FOLDER` gets them", err)
	}
	if err != nil {
		return Split{}, err
	}
	if shape := split.Train.shape; shape != [3]int{28, 28, 1} {
		return Split{}, fault.Inputf("%s holds images of %d×%d×%d, want those of MNIST, 28×28×1; idx:%s reads any shape", dir, shape[0], shape[1], shape[2], dir)
	}
	for _, s := range split.sets() {
		for i, label := range s.labels {
			if label > 9 {
				return Split{}, fault.Inputf("%s: label %d of image %d is out of range [0, 10)", dir, label, i)
			}
		}
		s.classes = 10
	}
	return split, nil
}
