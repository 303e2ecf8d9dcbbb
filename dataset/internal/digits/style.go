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

// newStyle draws the habits of a site. Ink is light on dark paper, as in the
// sets of digits that are in use elsewhere.
func newStyle(faces []*typeface, r *rand.Rand) style {
	s := style{
		faces:  faces,
		size:   between(r, one*84/100, one*108/100),
		aspect: between(r, one*85/100, one*115/100),
		slant:  between(r, -one*20/100, one*20/100),
		stroke: between(r, -px*20/100, px*80/100),
		soft:   between(r, px, 2*px),
		wobble: between(r, px*30/100, px*85/100),
		lightX: between(r, -30, 30),
		lightY: between(r, -30, 30),
		blur:   r.IntN(3),
		noise:  between(r, 4, 18),
		grain:  r.IntN(2) == 0,
		bands:  between(r, -10, 10),
		specks: between(r, -3, 6),
	}
	s.paper = between(r, 5, 60)
	s.ink = s.paper + between(r, 120, 190)
	return s
}

// between returns a number from lo to hi, both included.
func between(r *rand.Rand, lo, hi int) int { return lo + r.IntN(hi-lo+1) }
