package digits

import "math/rand/v2"

// Lengths in the image are in 1/px of a pixel; factors are in 1/one.
const (
	px  = 256
	one = 4096
)

// style is how one site prints and scans. Ranges are what a single image may
// differ from the site's habit by.
type style struct {
	faces []*typeface

	size, aspect   int  // height, and width over height, as factors
	slant          int  // shear, a factor
	stroke         int  // added to both sides of a stroke, may be negative
	soft           int  // width of an edge from paper to ink
	wobble         int  // how far lines stray
	paper, ink     int  // grey levels
	lightX, lightY int  // change of the paper's level across the image
	blur           int  // passes of a binomial filter
	noise          int  // standard deviation, in grey levels
	grain          bool // noise is in the paper and gets blurred, too
	bands          int  // standard deviation of the level of a scanned line
	specks         int  // dust, in pixels an image
}

// newStyle draws the habits of a site. Light ink on dark paper and dark ink on
// light paper are as common as each other.
func newStyle(faces []*typeface, negative bool, r *rand.Rand) style {
	s := style{
		faces:  faces,
		size:   between(r, one*80/100, one*108/100),
		aspect: between(r, one*80/100, one*120/100),
		slant:  between(r, -one*25/100, one*25/100),
		stroke: between(r, -px*35/100, px*80/100),
		soft:   between(r, px, 2*px),
		wobble: between(r, px*30/100, px*130/100),
		lightX: between(r, -30, 30),
		lightY: between(r, -30, 30),
		blur:   r.IntN(3),
		noise:  between(r, 4, 22),
		grain:  r.IntN(2) == 0,
		bands:  between(r, -10, 14),
		specks: between(r, -3, 6),
	}
	contrast := between(r, 80, 190)
	dark := between(r, 5, min(100, 240-contrast))
	s.paper, s.ink = dark, dark+contrast
	if negative {
		s.paper, s.ink = s.ink, s.paper
	}
	return s
}

// between returns a number from lo to hi, both included.
func between(r *rand.Rand, lo, hi int) int { return lo + r.IntN(hi-lo+1) }
