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

	size, aspect   int   // height, and width over height, as factors
	slant          int   // shear, a factor
	stroke         int   // added to both sides of a stroke, may be negative
	soft           int   // width of an edge from paper to ink
	wobble         int   // how far lines stray
	fade           int   // share of the ink that is missing where the pen is lightest, at most
	neighbours     int   // digits beside this one, 0 to 2; how near they come varies
	through        int   // share of the ink that shows through from the other side
	rules          rules // printed on the paper
	paper, ink     int   // grey levels
	lightX, lightY int   // change of the paper's level across the image
	blur           int   // passes of a binomial filter
	noise          int   // standard deviation, in grey levels
	grain          bool  // noise is in the paper and gets blurred, too
	bands          int   // standard deviation of the level of a scanned line
	specks         int   // dust, in pixels an image
	depth          int   // grey levels that the scanner knows; 0: all
}

// rules are lines printed on a site's paper.
type rules struct {
	along, upright bool
	pitch          int // 1/px pixel
	ink            int // share of the pen's ink
}

// newStyle draws the habits of a site. Ink is light on dark paper, as in the
// sets of digits that are in use elsewhere.
func newStyle(faces []*typeface, r *rand.Rand) style {
	s := style{
		faces:  faces,
		size:   between(r, one*80/100, one*110/100),
		aspect: between(r, one*80/100, one*120/100),
		slant:  between(r, -one*28/100, one*28/100),
		stroke: between(r, -px*20/100, px*90/100),
		soft:   between(r, px, 2*px),
		wobble: between(r, px*40/100, px*110/100),
		lightX: between(r, -40, 40),
		lightY: between(r, -40, 40),
		blur:   r.IntN(3),
		noise:  between(r, 4, 18),
		grain:  r.IntN(2) == 0,
		bands:  between(r, -12, 12),
		specks: between(r, -4, 8),
	}
	s.paper = between(r, 5, 60)
	s.ink = s.paper + between(r, 120, 190)
	s.fade = max(0, between(r, -one*40/100, one*60/100))
	s.neighbours = max(0, between(r, -2, 2))
	s.through = max(0, between(r, -one*35/100, one*35/100))
	s.rules = newRules(r)
	s.depth = max(0, between(r, -16, 16))
	if s.depth > 0 {
		s.depth = max(s.depth, 4)
	}
	return s
}

// newRules draws the lines on a site's paper: on half of them there are none.
func newRules(r *rand.Rand) rules {
	kind := r.IntN(6)
	return rules{
		along: kind == 0 || kind == 1, upright: kind == 1 || kind == 2,
		pitch: between(r, 6*px, 11*px),
		ink:   between(r, one*20/100, one*45/100),
	}
}

// between returns a number from lo to hi, both included.
func between(r *rand.Rand, lo, hi int) int { return lo + r.IntN(hi-lo+1) }
