package digits

import (
	"math/rand/v2"
	"runtime"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/accord-fl/accord/internal/rng"
)

// HeldOut is the site of test images whose style and font no site has.
const HeldOut = -1

// Images are labelled drawings.
type Images struct {
	Pixels []uint8 // [n, Side, Side]
	Labels []int32
	Sites  []int32 // in whose style each is drawn, or HeldOut
}

// Draw draws perSite training images for each site and a number of test
// images: three quarters of them in the sites' styles in turn, the others in
// four styles that no site has. The ten digits have equal shares throughout.
// Sites are drawn side by side, on all cores.
func Draw(seed uint64, sites, perSite, test int) (training, testing Images, err error) {
	a, err := newAtelier(seed, sites)
	if err != nil {
		return Images{}, Images{}, err
	}
	training, testing = newImages(sites*perSite), newImages(test)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	group.Go(func() error {
		a.test(&testing, rng.New(seed, "digits", "test"))
		return nil
	})
	for i, s := range a.sites {
		group.Go(func() error {
			var p pen
			r := rng.New(seed, "digits", "train", strconv.Itoa(i))
			for k, digit := range evenly(perSite, r) {
				p.draw(training.frame(i*perSite+k, digit, int32(i)), digit, s, r)
			}
			return nil
		})
	}
	return training, testing, group.Wait()
}

func newImages(n int) Images {
	return Images{Pixels: make([]uint8, n*Side*Side), Labels: make([]int32, n), Sites: make([]int32, n)}
}

// frame labels image i and returns its pixels, to be drawn.
func (m *Images) frame(i, digit int, site int32) []uint8 {
	m.Labels[i], m.Sites[i] = int32(digit), site
	return m.Pixels[i*Side*Side:][:Side*Side]
}

// test draws the test images.
func (a *atelier) test(images *Images, r *rand.Rand) {
	var p pen
	for i, digit := range evenly(len(images.Labels), r) {
		round, place := i/4, i%4
		site, s := HeldOut, a.strangers[round%len(a.strangers)]
		if place < 3 {
			site = (3*round + place) % len(a.sites)
			s = a.sites[site]
		}
		p.draw(images.frame(i, digit, int32(site)), digit, s, r)
	}
}

// atelier holds the styles of one seed.
type atelier struct {
	sites, strangers []style
}

// newAtelier draws the styles. A site has two of the fonts, the same two as the
// site four before it.
func newAtelier(seed uint64, sites int) (*atelier, error) {
	faces, err := typefaces(siteFonts())
	if err != nil {
		return nil, err
	}
	strange, err := typefaces(heldOutFonts())
	if err != nil {
		return nil, err
	}
	rng.New(seed, "digits", "fonts").Shuffle(len(faces), func(i, j int) { faces[i], faces[j] = faces[j], faces[i] })
	pairs := len(faces) / 2
	var a atelier
	for i := range sites {
		own := faces[2*(i%pairs):][:2]
		a.sites = append(a.sites, newStyle(own, rng.New(seed, "digits", "site", strconv.Itoa(i))))
	}
	for i := range 2 * len(strange) {
		own := strange[i%len(strange):][:1]
		a.strangers = append(a.strangers, newStyle(own, rng.New(seed, "digits", "stranger", strconv.Itoa(i))))
	}
	return &a, nil
}

func typefaces(files [][]byte) ([]*typeface, error) {
	faces := make([]*typeface, len(files))
	var group errgroup.Group
	for i, ttf := range files {
		group.Go(func() (err error) {
			faces[i], err = newTypeface(ttf)
			return err
		})
	}
	return faces, group.Wait()
}

// evenly returns n digits, each as often as the others, in random order.
func evenly(n int, r *rand.Rand) []int {
	digits := make([]int, n)
	for i := range digits {
		digits[i] = i % 10
	}
	r.Shuffle(n, func(i, j int) { digits[i], digits[j] = digits[j], digits[i] })
	return digits
}
