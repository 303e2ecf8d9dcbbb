package digits

import "math/rand/v2"

// Side is the number of pixels along each side of an image.
const Side = 28

// pen draws images. It keeps its working memory between them.
type pen struct {
	cover [Side * Side]int // ink, 0 to 255
	level [Side * Side]int // grey levels, ×16 while they are filtered
	spare [Side * Side]int
}

// warp takes a place in the image to one in a field.
type warp struct {
	xx, xy, yx, yy int // factors
	dx, dy         int // 1/px pixel
	// Offsets at the corners of lattice×lattice squares, 1/px pixel.
	offsets [lattice + 1][lattice + 1]point
}

// lattice squares a side carry the random offsets that bend a digit.
const lattice = 4

// newWarp draws how one image differs from the site's habit: a turn of up to
// about 11°, some scale, slant and place, and bent lines.
func newWarp(s style, r *rand.Rand) warp {
	tall := s.size * between(r, one*92/100, one*108/100) / one
	wide := tall * s.aspect / one * between(r, one*93/100, one*107/100) / one
	slant := s.slant + between(r, -one*10/100, one*10/100)
	// With t = tan(φ/2), cos φ = (1-t²)/(1+t²) and sin φ = 2t/(1+t²).
	t := between(r, -one*10/100, one*10/100)
	t2 := t * t / one
	cos, sin := (one-t2)*one/(one+t2), 2*t*one/(one+t2)
	// Image to field: undo the turn, then the slant, then the scale.
	w := warp{
		xx: cos, xy: sin,
		yx: -sin, yy: cos,
		dx: between(r, -2*px, 2*px),
		dy: between(r, -3*px/2, 3*px/2),
	}
	w.xx, w.xy = w.xx+slant*w.yx/one, w.xy+slant*w.yy/one
	w.xx, w.xy = w.xx*one/wide, w.xy*one/wide
	w.yx, w.yy = w.yx*one/tall, w.yy*one/tall
	for i := range w.offsets {
		for j := range w.offsets[i] {
			w.offsets[i][j] = point{between(r, -s.wobble, s.wobble), between(r, -s.wobble, s.wobble)}
		}
	}
	return w
}

// bend returns the offset at a pixel, interpolated between the corners of its
// square.
func (w *warp) bend(x, y int) point {
	const square = Side / lattice
	i, j := y/square, x/square
	u, v := 2*(x%square)+1, 2*(y%square)+1
	mix := func(a, b, c, d int) int {
		top := a*(2*square-u) + b*u
		bottom := c*(2*square-u) + d*u
		return (top*(2*square-v) + bottom*v) / (4 * square * square)
	}
	a, b, c, d := w.offsets[i][j], w.offsets[i][j+1], w.offsets[i+1][j], w.offsets[i+1][j+1]
	return point{mix(a.x, b.x, c.x, d.x), mix(a.y, b.y, c.y, d.y)}
}

// draw draws a digit into dst, Side×Side grey levels.
func (p *pen) draw(dst []uint8, digit int, s style, r *rand.Rand) {
	clear(p.cover[:])
	face := s.faces[r.IntN(len(s.faces))]
	stroke := s.stroke + between(r, -px*20/100, px*20/100)
	w := newWarp(s, r)
	p.stamp(face[digit], &w, edge{s.soft, stroke, one})
	p.lighten(s.fade, r)
	p.clutter(s, w, stroke, r)
	p.scan(dst, s, r)
}

// edge is how a stroke ends.
type edge struct {
	soft   int // width, 1/px pixel
	stroke int // added to both sides, 1/px pixel
	ink    int // share of the pen's ink in the middle
}

// stamp leaves the ink of one digit, where there is less.
func (p *pen) stamp(f *field, w *warp, e edge) {
	for y := range Side {
		for x := range Side {
			bend := w.bend(x, y)
			u := (2*x+1-Side)*px/2 + w.dx + bend.x
			v := (2*y+1-Side)*px/2 + w.dy + bend.y
			distance := f.at(toCells(w.xx*u+w.xy*v), toCells(w.yx*u+w.yy*v))
			depth := distance*Side*px/(grid*step*cellScale*cellScale) + e.stroke // 1/px pixel
			p.ink(y*Side+x, clamp(128+depth*255/e.soft, 255)*e.ink/one)
		}
	}
}

// ink covers a pixel, unless it is covered better already.
func (p *pen) ink(i, cover int) { p.cover[i] = max(p.cover[i], cover) }

// toCells turns a place counted from the image's centre, in 1/(px·one) pixel,
// into one counted from the grid's corner, in 1/cellScale cell.
func toCells(v int) int { return v*(grid*cellScale/px)/(Side*one) + grid*cellScale/2 }
