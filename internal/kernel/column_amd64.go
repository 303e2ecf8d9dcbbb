package kernel

// columnFunc is one generated tile of MulColumn at all places; strides are in bytes.
type columnFunc = func(nplaces int, places *int32, nseg int, segs *int32, whole int, mask *int32, a *float32, rsa int, b, c *float32, ldc, add int)

// columnTiles covers a product of one column with tiles: tiles[r] computes r+1 rows, so
// many lanes at a time.
type columnTiles struct {
	tiles []columnFunc
	lanes int
}

// tails holds masks of n lanes from element Lanes−n on.
var tails = [2 * Lanes]int32{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}

func (f columnTiles) mul(c []float32, cRow, m, k int, a []float32, aRow int, b []float32, w *Walk, p *Places, add bool) {
	adds := 0
	if add {
		adds = 1
	}
	whole := (k - 1) / f.lanes
	mask := &tails[Lanes-(k-whole*f.lanes)]
	for i := 0; i < m; {
		rows := share(m-i, len(f.tiles))
		f.tiles[rows-1](len(p.table)/2, &p.table[0], w.Len(), &w.table[0], whole, mask, &a[i*aRow], 4*aRow, &b[0], &c[i*cRow], 4*cRow, adds)
		i += rows
	}
}
