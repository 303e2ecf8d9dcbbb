package digits

import (
	"math"
	"slices"
)

// A field is drawn on a grid of cells finer than the image's pixels.
const (
	grid   = 128       // cells a side, for the whole image
	height = 88        // cells from a digit's foot to its head
	step   = 5         // units of distance a cell
	far    = 60 * step // distances are cut off here
)

// field holds the signed distance of each cell to a digit's edge, in units of
// 1/step cell, positive inside the digit. Adding to it thickens the stroke.
type field [grid * grid]int16

// newField fills the contours by the non-zero winding rule, scaled to height
// and centred, and measures distances to the edge.
func newField(contours [][]point) *field {
	contours = fit(contours)
	var inside [grid * grid]bool
	for y := range grid {
		fillRow(inside[y*grid:][:grid], contours, (2*y+1)*cellScale/2)
	}
	in, out := distances(&inside, true), distances(&inside, false)
	var f field
	for i := range f {
		// Both count from cell centres; the edge lies half a cell between.
		if inside[i] {
			f[i] = in[i] - step/2
		} else {
			f[i] = step/2 - out[i]
		}
	}
	return &f
}

// cellScale is the units of a fitted contour per cell.
const cellScale = 256

// fit scales contours to the height of a digit and centres them in the grid,
// in units of 1/cellScale cell.
func fit(contours [][]point) [][]point {
	lo, hi := point{math.MaxInt, math.MaxInt}, point{math.MinInt, math.MinInt}
	for _, c := range contours {
		for _, p := range c {
			lo = point{min(lo.x, p.x), min(lo.y, p.y)}
			hi = point{max(hi.x, p.x), max(hi.y, p.y)}
		}
	}
	tall := max(1, hi.y-lo.y)
	place := func(v, lo, hi int) int {
		return (2*v-lo-hi)*height*cellScale/(2*tall) + grid*cellScale/2
	}
	fitted := make([][]point, len(contours))
	for i, c := range contours {
		for _, p := range c {
			fitted[i] = append(fitted[i], point{place(p.x, lo.x, hi.x), place(p.y, lo.y, hi.y)})
		}
	}
	return fitted
}

// crossing is where an edge meets a row, and whether it goes down or up.
type crossing struct{ x, dir int }

// fillRow marks the cells of a row whose centres lie inside the contours; y is
// the row's height in contour units.
func fillRow(row []bool, contours [][]point, y int) {
	var crossings []crossing
	for _, c := range contours {
		for i, q := range c {
			p := c[(i+len(c)-1)%len(c)]
			dir := 1
			if p.y > q.y {
				p, q, dir = q, p, -1
			}
			if p.y <= y && y < q.y {
				crossings = append(crossings, crossing{p.x + (y-p.y)*(q.x-p.x)/(q.y-p.y), dir})
			}
		}
	}
	slices.SortFunc(crossings, func(a, b crossing) int { return a.x - b.x })
	winding, next := 0, 0
	for x := range row {
		centre := (2*x + 1) * cellScale / 2
		for next < len(crossings) && crossings[next].x <= centre {
			winding += crossings[next].dir
			next++
		}
		row[x] = winding != 0
	}
}

// distances returns each cell's distance to the nearest cell that is not on
// the given side, by two chamfer passes with the weights 5, 7 and 11 for a
// step straight, diagonal and like a knight (Borgefors 1986).
func distances(inside *[grid * grid]bool, side bool) *[grid * grid]int16 {
	var d [grid * grid]int16
	for i := range d {
		if inside[i] == side {
			d[i] = far
		}
	}
	steps := []struct{ dx, dy, cost int }{
		{-1, 0, 5}, {0, -1, 5}, {-1, -1, 7}, {1, -1, 7}, {-2, -1, 11}, {2, -1, 11}, {-1, -2, 11}, {1, -2, 11},
	}
	relax := func(x, y, sign int) {
		best := d[y*grid+x]
		for _, s := range steps {
			nx, ny := x+sign*s.dx, y+sign*s.dy
			if nx >= 0 && nx < grid && ny >= 0 && ny < grid {
				best = min(best, d[ny*grid+nx]+int16(s.cost))
			}
		}
		d[y*grid+x] = best
	}
	for y := range grid {
		for x := range grid {
			relax(x, y, 1)
		}
	}
	for y := grid - 1; y >= 0; y-- {
		for x := grid - 1; x >= 0; x-- {
			relax(x, y, -1)
		}
	}
	return &d
}

// at returns the distance at a place given in 1/cellScale cell, interpolated
// between cell centres, in 1/(step·cellScale²) cell. Beyond the grid the
// nearest border counts.
func (f *field) at(x, y int) int {
	x, y = clamp(x-cellScale/2, (grid-1)*cellScale-1), clamp(y-cellScale/2, (grid-1)*cellScale-1)
	i := y/cellScale*grid + x/cellScale
	u, v := x%cellScale, y%cellScale
	top := int(f[i])*(cellScale-u) + int(f[i+1])*u
	bottom := int(f[i+grid])*(cellScale-u) + int(f[i+grid+1])*u
	return top*(cellScale-v) + bottom*v
}

// clamp moves v into 0 to hi.
func clamp(v, hi int) int { return max(0, min(v, hi)) }
