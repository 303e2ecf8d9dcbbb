package dataset

import (
	"fmt"

	"github.com/accord-fl/accord/internal/fault"
)

// arrays is a file of named arrays: an NPZ archive or a safetensors file.
// Every method but has is called only for names that are there.
type arrays interface {
	has(name string) bool
	shape(name string) ([]int, error)
	// images returns the array's elements as bytes or as floats.
	images(name string) ([]uint8, []float32, error)
	// labels returns whole numbers that checkLabel has passed.
	labels(name string) ([]int32, error)
}

// pair names an array of images and one of their labels.
type pair struct{ images, labels string }

// schemes are the names that sets are published under: of the training,
// validation and test part.
func schemes() [][3]pair {
	return [][3]pair{
		{{"train_images", "train_labels"}, {"val_images", "val_labels"}, {"test_images", "test_labels"}},
		{{"x_train", "y_train"}, {"x_val", "y_val"}, {"x_test", "y_test"}},
		{{"x", "y"}},
	}
}

// splitOf reads the sets of whichever scheme the file follows.
func splitOf(a arrays) (Split, error) {
	var found [][3]pair
	for _, scheme := range schemes() {
		for _, p := range scheme {
			if a.has(p.images) || a.has(p.labels) {
				found = append(found, scheme)
				break
			}
		}
	}
	switch len(found) {
	case 0:
		return Split{}, fault.Inputf("no arrays named train_images and train_labels, x_train and y_train, or x and y")
	case 1:
	default:
		return Split{}, fault.Inputf("both %s and %s are there: which are the training images?", found[0][0].images, found[1][0].images)
	}
	var sets [3]*Set
	for i, p := range found[0] {
		if !a.has(p.images) && !a.has(p.labels) {
			continue
		}
		set, err := readPair(a, p)
		if err != nil {
			return Split{}, err
		}
		sets[i] = set
	}
	return NewSplit(sets[0], sets[1], sets[2])
}

func readPair(a arrays, p pair) (*Set, error) {
	switch {
	case !a.has(p.images):
		return nil, fault.Inputf("%s is there, %s is not", p.labels, p.images)
	case !a.has(p.labels):
		return nil, fault.Inputf("%s is there, %s is not", p.images, p.labels)
	}
	n, hwc, err := imageShape(a, p.images)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.images, err)
	}
	if err := labelShape(a, p.labels, n); err != nil {
		return nil, fmt.Errorf("%s: %w", p.labels, err)
	}
	labels, err := a.labels(p.labels)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.labels, err)
	}
	pixels, values, err := a.images(p.images)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.images, err)
	}
	var set *Set
	if values != nil {
		set, err = FromFloats(hwc, values, labels)
	} else {
		set, err = FromBytes(hwc, pixels, labels)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.images, err)
	}
	return set, nil
}

// imageShape accepts [n, h, w] and [n, h, w, c].
func imageShape(a arrays, name string) (n int, hwc [3]int, err error) {
	shape, err := a.shape(name)
	switch {
	case err != nil:
		return 0, hwc, err
	case len(shape) == 3:
		return shape[0], [3]int{shape[1], shape[2], 1}, nil
	case len(shape) == 4:
		return shape[0], [3]int(shape[1:]), nil
	}
	return 0, hwc, fault.Inputf("shape %v: want [images, height, width] or [images, height, width, channels]", shape)
}

// labelShape accepts [n] and [n, 1].
func labelShape(a arrays, name string, images int) error {
	shape, err := a.shape(name)
	switch {
	case err != nil:
		return err
	case len(shape) != 1 && (len(shape) != 2 || shape[1] != 1):
		hint := ""
		if len(shape) == 2 {
			hint = "; one-hot labels are not read, give the number of the class"
		}
		return fault.Inputf("shape %v: want [labels] or [labels, 1]%s", shape, hint)
	case shape[0] != images:
		return fault.Inputf("%d labels for %d images", shape[0], images)
	}
	return nil
}

// checkLabel returns the label that stands at place i of a file.
func checkLabel(i int, v int64) (int32, error) {
	if v < 0 || v >= MaxClasses {
		return 0, fault.Inputf("label %d of image %d is out of range [0, %d)", v, i, MaxClasses)
	}
	return int32(v), nil
}
