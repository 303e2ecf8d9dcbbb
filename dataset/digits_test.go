package dataset

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// few is a small set; drawing takes most of these tests' time.
func few() DigitsOptions { return DigitsOptions{Sites: 3, PerSite: 20, Test: 40, Seed: 1} }

func mustDigits(t *testing.T, o DigitsOptions) Split {
	t.Helper()
	split, err := Digits(o)
	if err != nil {
		t.Fatal(err)
	}
	return split
}

func TestDigits(t *testing.T) {
	o := few()
	split := mustDigits(t, o)
	if split.Train.Len() != 60 || split.Test.Len() != 40 || split.Val != nil || split.Train.Shape() != [3]int{28, 28, 1} || split.Train.Classes() != 10 || split.Test.Classes() != 10 {
		t.Fatalf("got %d and %d images of %v in %d classes", split.Train.Len(), split.Test.Len(), split.Train.Shape(), split.Train.Classes())
	}
	for site := range int32(o.Sites) {
		if diff := cmp.Diff([]int{2, 2, 2, 2, 2, 2, 2, 2, 2, 2}, ofSite(split.Train, site).Counts()); diff != "" {
			t.Errorf("site %d: images of each digit (-want +got):\n%s", site, diff)
		}
		if ofSite(split.Test, site).Len() == 0 {
			t.Errorf("site %d: no test images in its style", site)
		}
	}
	if n := ofSite(split.Test, -1).Len(); n != 10 {
		t.Errorf("got %d test images in no site's style, want a quarter of 40", n)
	}
	for digit, n := range split.Test.All().Counts() {
		if n == 0 {
			t.Errorf("no test image of %d", digit)
		}
	}

	again := mustDigits(t, o)
	if split.Train.Digest() != again.Train.Digest() || split.Test.Digest() != again.Test.Digest() {
		t.Error("the same options give other images")
	}
	o.Seed = 2
	other := mustDigits(t, o)
	if split.Train.Digest() == other.Train.Digest() || split.Test.Digest() == other.Test.Digest() {
		t.Error("another seed gives the same images")
	}
}

// A site's images depend on the seed and on its number only.
func TestDigitsOfASite(t *testing.T) {
	o := few()
	split := mustDigits(t, o)
	o.Sites, o.Test = 2, 10
	fewer := mustDigits(t, o)
	for site := range int32(o.Sites) {
		wantX, wantY := gather(ofSite(split.Train, site))
		gotX, gotY := gather(ofSite(fewer.Train, site))
		if !cmp.Equal(wantX, gotX) || !cmp.Equal(wantY, gotY) {
			t.Errorf("site %d: other images when there are fewer sites", site)
		}
	}
	one, _ := gather(ofSite(split.Train, 0))
	two, _ := gather(ofSite(split.Train, 1))
	if cmp.Equal(one, two) {
		t.Error("two sites have the same images")
	}
}

// ofSite returns the images that come from one site.
func ofSite(s *Set, site int32) *View {
	var indices []int
	for i, key := range s.Keys() {
		if key == site {
			indices = append(indices, i)
		}
	}
	return s.View(indices)
}

func TestDigitsRefuses(t *testing.T) {
	if err := DefaultDigits().Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*DigitsOptions){
		"no sites":             func(o *DigitsOptions) { o.Sites = 0 },
		"too many sites":       func(o *DigitsOptions) { o.Sites = 1001 },
		"too few images":       func(o *DigitsOptions) { o.PerSite = 9 },
		"too many images":      func(o *DigitsOptions) { o.PerSite = 10_001 },
		"too few test images":  func(o *DigitsOptions) { o.Test = 9 },
		"too many test images": func(o *DigitsOptions) { o.Test = 100_001 },
	} {
		t.Run(name, func(t *testing.T) {
			o := few()
			change(&o)
			_, err := Digits(o)
			wantInput(t, err, "digits", "want")
		})
	}
}
