package digits

import "math/rand/v2"

// clutter adds what lies on the paper beside the digit: its neighbours, what
// shows through from the other side, and printed lines.
func (p *pen) clutter(s style, w warp, stroke int, r *rand.Rand) {
	side := 1 - 2*r.IntN(2)
	for range s.neighbours {
		beside := w
		beside.dx += side * between(r, 16*px, 21*px)
		p.stamp(s.faces[r.IntN(len(s.faces))][r.IntN(10)], &beside, edge{s.soft, stroke, one})
		side = -side
	}
	if s.through > 0 {
		behind := w
		behind.xx, behind.yx = -w.xx, -w.yx // mirrored
		behind.dx, behind.dy = between(r, -8*px, 8*px), between(r, -8*px, 8*px)
		p.stamp(s.faces[r.IntN(len(s.faces))][r.IntN(10)], &behind, edge{2 * s.soft, stroke, s.through})
	}
	if s.rules.along {
		p.rule(s.rules, Side, 1, r)
	}
	if s.rules.upright {
		p.rule(s.rules, 1, Side, r)
	}
}

// rule prints lines a pixel wide. across and along are the distances in cover
// of neighbours across the lines and along them.
func (p *pen) rule(lines rules, across, along int, r *rand.Rand) {
	for at := r.IntN(lines.pitch); at < (Side-1)*px; at += lines.pitch {
		row, rest := at/px, at%px
		for i := range Side {
			p.ink(row*across+i*along, 255*(px-rest)/px*lines.ink/one)
			p.ink((row+1)*across+i*along, 255*rest/px*lines.ink/one)
		}
	}
}

// lighten takes ink away from one side to the other, as a pen does that is
// pressed unevenly.
func (p *pen) lighten(most int, r *rand.Rand) {
	if most <= 0 {
		return
	}
	// Each direction takes at most half, so that together they take at most all.
	gx, gy := between(r, -most/2, most/2), between(r, -most/2, most/2)
	for y := range Side {
		for x := range Side {
			missing := (abs(gx)+abs(gy))/2 + (gx*(2*x+1-Side)+gy*(2*y+1-Side))/(2*Side)
			p.cover[y*Side+x] = p.cover[y*Side+x] * (one - missing) / one
		}
	}
}

func abs(v int) int { return max(v, -v) }
