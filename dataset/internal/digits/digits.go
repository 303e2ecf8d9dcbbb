package digits

import (
	"math/rand/v2"
	"strconv"

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
func Draw(seed uint64, sites, perSite, test int) (training, testing Images, err error) {
	a, err := newAtelier(seed, sites)
	if err != nil {
		return Images{}, Images{}, err
	}
	for i, s := range a.sites {
		r := rng.New(seed, "digits", "train", strconv.Itoa(i))
		for _, digit := range evenly(perSite, r) {
			a.draw(&training, digit, int32(i), s, r)
		}
	}
	r := rng.New(seed, "digits", "test")
	for i, digit := range evenly(test, r) {
		round, place := i/4, i%4
		if place == 3 {
			a.draw(&testing, digit, HeldOut, a.strangers[round%len(a.strangers)], r)
			continue
		}
		site := (3*round + place) % sites
		a.draw(&testing, digit, int32(site), a.sites[site], r)
	}
	return training, testing, nil
}

// atelier holds the styles of one seed.
type atelier struct {
	sites, strangers []style
	pen              pen
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
	for i, ttf := range files {
		face, err := newTypeface(ttf)
		if err != nil {
			return nil, err
		}
		faces[i] = face
	}
	return faces, nil
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

// draw adds one drawing to images.
func (a *atelier) draw(images *Images, digit int, site int32, s style, r *rand.Rand) {
	var drawing [Side * Side]uint8
	a.pen.draw(drawing[:], digit, s, r)
	images.Pixels = append(images.Pixels, drawing[:]...)
	images.Labels = append(images.Labels, int32(digit))
	images.Sites = append(images.Sites, site)
}
