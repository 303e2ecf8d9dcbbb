package digits

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/accord-fl/accord/internal/rng"
)

// plainStyle is a site whose paper holds its digits and nothing else.
func plainStyle(t *testing.T) style {
	t.Helper()
	faces, err := typefaces(siteFonts()[:1])
	if err != nil {
		t.Fatal(err)
	}
	return style{faces: faces, size: one, aspect: one, soft: px, paper: 20, ink: 180}
}

func stream() *rand.Rand { return rng.New(1, "digits", "test of clutter") }

// Neighbours come near, and never to the columns in the middle, where the
// narrowest digit is.
func TestNeighboursStayAside(t *testing.T) {
	s := plainStyle(t)
	s.neighbours = 2
	r := stream()
	var p pen
	seen := 0
	for range 200 {
		clear(p.cover[:])
		p.clutter(s, newWarp(s, r), 0, r)
		if slices.Max(p.cover[:]) > 200 {
			seen++
		}
		for y := range Side {
			if got := slices.Max(p.cover[y*Side+Side/2-3:][:6]); got > 0 {
				t.Fatalf("a neighbour covers the middle of line %d by %d", y, got)
			}
		}
	}
	if seen < 150 {
		t.Errorf("neighbours are seen in %d images of 200, want most", seen)
	}
}

// What shows through is as faint as the site's paper lets it be.
func TestShowingThroughIsFaint(t *testing.T) {
	s := plainStyle(t)
	s.through = one / 4
	r := stream()
	var p pen
	p.clutter(s, newWarp(s, r), 0, r)
	if got := slices.Max(p.cover[:]); got < 50 || got > 255/4 {
		t.Errorf("the other side covers by %d, want about %d", got, 255/4)
	}
}

// Lines lie a pitch apart, each holds the ink that it should, and digits on
// top of them stay.
func TestRules(t *testing.T) {
	const share, middle = one / 5, Side*Side/2 + Side/2 // 51 of 255
	for name, lines := range map[string]rules{
		"along":   {along: true, pitch: 7 * px, ink: share},
		"upright": {upright: true, pitch: 7*px + px/2, ink: share},
	} {
		s := plainStyle(t)
		s.rules = lines
		var p pen
		p.cover[middle] = 255
		r := stream()
		p.clutter(s, newWarp(s, r), 0, r)
		if p.cover[middle] != 255 {
			t.Errorf("%s: a line took ink away", name)
		}
		total, n := 0, 0
		for i := range Side { // across the lines, at the rim
			at := i
			if lines.along {
				at = i * Side
			}
			total += p.cover[at]
			if p.cover[at] > 0 {
				n++
			}
		}
		// 27 pixels hold three lines or four, each over a pixel or two.
		if drawn := (total + 25) / 51; drawn < 3 || drawn > 4 || n > 8 || total < 51*drawn-2*n || total > 51*drawn {
			t.Errorf("%s: lines hold %d of ink in %d pixels, want 51 for each of three or four lines", name, total, n)
		}
	}
}

func TestLightenOnlyTakesAway(t *testing.T) {
	const most = one / 2
	r := stream()
	least, differs := 255, false
	for range 100 {
		var p pen
		for i := range p.cover {
			p.cover[i] = 255
		}
		p.lighten(most, r)
		lo, hi := slices.Min(p.cover[:]), slices.Max(p.cover[:])
		if hi > 255 {
			t.Fatalf("ink was added: %d", hi)
		}
		least, differs = min(least, lo), differs || hi > lo+20
	}
	if least < 255/2-1 || least > 255*3/4 || !differs {
		t.Errorf("100 pens are lightest at %d, and press unevenly: %v; want a half at least, and true", least, differs)
	}
}

// A scanner's levels are evenly spread from black to white, and each level of
// the image goes to the nearest of them.
func TestQuantise(t *testing.T) {
	for _, depth := range []int{2, 4, 7, 16, 256} {
		s := style{depth: depth}
		levels := map[uint8]bool{}
		for v := range 256 {
			got := s.quantise(v)
			levels[got] = true
			if off := abs(int(got) - v); 2*off*(depth-1) > 255+2*depth {
				t.Errorf("of %d levels, %d goes to %d", depth, v, got)
			}
		}
		if len(levels) != depth || !levels[0] || !levels[255] {
			t.Errorf("got %d levels, want %d from 0 to 255", len(levels), depth)
		}
	}
	all := style{}
	for v := range 256 {
		if got := all.quantise(v); int(got) != v {
			t.Errorf("with all levels, %d goes to %d", v, got)
		}
	}
}
