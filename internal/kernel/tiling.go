//go:build amd64 || arm64

package kernel

// mulFunc is one generated tile of Mul at all places; strides are in bytes.
type mulFunc = func(nplaces int, places *int32, nseg int, segs *int32, kc int, a *float32, rsa, csa int, b *float32, bstep int, c *float32, ldc, add int)

// tiling covers a product with tiles: tiles[w][r] computes r+1 rows of (w+1)·Lanes
// columns, pairs[r] the same of Lanes columns at every two places. There are pairs
// only of heights at which one place does not keep the processor busy.
type tiling struct {
	tiles [][]mulFunc
	pairs []mulFunc
}

func (t tiling) mul(c Matrix, m, n, k int, a Strided, b Matrix, w *Walk, p *Places, add bool) {
	adds := 0
	if add {
		adds = 1
	}
	for j, width := 0, 0; j < n; j += width {
		width = Lanes
		if len(t.tiles) > 1 && n-j >= 2*Lanes && fits(&b, j) && fits(&c, j) {
			width = 2 * Lanes
		}
		tiles := t.tiles[width/Lanes-1]
		right, to := &b.Data[b.at(0, j)], c.at(0, j)
		// Tiles of nearly the same height, none higher than there are.
		count := (m + len(tiles) - 1) / len(tiles)
		for i, tile := 0, 0; tile < count; tile++ {
			rows, places, paired := (m+tile)/count, len(p.table)/2, 0
			if width == Lanes && rows <= len(t.pairs) {
				paired = places &^ 1
			}
			if paired > 0 {
				t.pairs[rows-1](paired, &p.table[0], w.Len(), &w.table[0], k, &a.Data[i*a.Row], 4*a.Row, 4*a.Col,
					right, 4*b.Row, &c.Data[to+i*c.Row], 4*c.Row, adds)
			}
			if paired < places {
				tiles[rows-1](places-paired, &p.table[2*paired], w.Len(), &w.table[0], k, &a.Data[i*a.Row], 4*a.Row, 4*a.Col,
					right, 4*b.Row, &c.Data[to+i*c.Row], 4*c.Row, adds)
			}
			i += rows
		}
	}
}

// fits reports whether columns [j, j+2·Lanes) lie in one panel.
func fits(m *Matrix, j int) bool { return j%m.Width+2*Lanes <= m.Width }

// mulSparseFunc is one generated window of MulSparse; strides are in bytes.
type mulSparseFunc = func(n int, counts *int32, v *float32, offs *int32, room int, b *float32, bs int, c *float32, cs int, places *int32)

// windowing covers windows with smaller ones: windowing[r][w] computes r+1 rows
// of (w+1)·Lanes columns. Fewer rows may come in more widths.
type windowing [][]mulSparseFunc

func (s windowing) mul(c []float32, cRow int, places []int32, l *Lists, b []float32, bRow, rows, width int) {
	for r := 0; r < rows; {
		high := share(rows-r, len(s))
		for j := 0; j < width; {
			wide := share((width-j)/Lanes, len(s[high-1]))
			s[high-1][wide-1](len(places), &l.counts[0], &l.v[0], &l.offs[0], 4*l.room,
				&b[r*bRow+j], 4*bRow, &c[r*cRow+j], 4*cRow, &places[0])
			j += wide * Lanes
		}
		r += high
	}
}

// share cuts n into the fewest parts of at most top, nearly equal, and returns
// the first.
func share(n, top int) int {
	parts := (n + top - 1) / top
	return (n + parts - 1) / parts
}
