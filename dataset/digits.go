package dataset

import (
	"github.com/accord-fl/accord/dataset/internal/digits"
	"github.com/accord-fl/accord/internal/fault"
)

// DigitsOptions says how much of the embedded set to draw.
type DigitsOptions struct {
	Sites   int    // 1 to 1,000
	PerSite int    // training images a site, 10 to 10,000
	Test    int    // test images, 10 to 100,000
	Seed    uint64 // of styles and images
}

// DefaultDigits returns ten sites of 500 images and 2,000 test images.
func DefaultDigits() DigitsOptions {
	return DigitsOptions{Sites: 10, PerSite: 500, Test: 2000, Seed: 1}
}

// Validate reports the first option out of its range.
func (o DigitsOptions) Validate() error {
	for _, c := range []struct {
		name     string
		v, least int
		most     int
	}{
		{"sites", o.Sites, 1, 1000},
		{"images a site", o.PerSite, 10, 10_000},
		{"test images", o.Test, 10, 100_000},
	} {
		if c.v < c.least || c.v > c.most {
			return fault.Inputf("digits: %d %s, want %d to %d", c.v, c.name, c.least, c.most)
		}
	}
	if images := int64(o.Sites)*int64(o.PerSite) + int64(o.Test); images*digits.Side*digits.Side > maxBytes {
		return fault.Inputf("digits: %d images are more than memory is taken for, draw fewer for each site", images)
	}
	return nil
}

// Digits draws the digits 0 to 9 as 28×28 grey images. Every site holds all ten
// of them, but has fonts, handwriting, forms, paper and a scanner of its own; a
// site's images depend on the seed and its number only. The test set is drawn
// in all sites' styles and, a quarter of it, in fonts and styles that no site
// has, so that no site alone does well. Keys tell the site of each image, -1
// where there is none. The same options give the same bytes on every 64-bit
// platform.
func Digits(o DigitsOptions) (Split, error) {
	if err := o.Validate(); err != nil {
		return Split{}, err
	}
	training, testing, err := digits.Draw(o.Seed, o.Sites, o.PerSite, o.Test)
	if err != nil {
		return Split{}, err
	}
	train, err := digitsSet(training)
	if err != nil {
		return Split{}, err
	}
	test, err := digitsSet(testing)
	if err != nil {
		return Split{}, err
	}
	return NewSplit(train, nil, test)
}

func digitsSet(images digits.Images) (*Set, error) {
	set, err := FromBytes([3]int{digits.Side, digits.Side, 1}, images.Pixels, images.Labels)
	if err != nil {
		return nil, err
	}
	set.keys = images.Sites
	return set, nil
}

// loadDigits draws the default set, which lies in no folder.
func loadDigits(path string) (Split, error) {
	if path != "" {
		return Split{}, fault.Inputf("digits are drawn on the spot, they are not read from %s", path)
	}
	return Digits(DefaultDigits())
}
