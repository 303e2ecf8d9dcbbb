package kernel

import "testing"

func TestMulColumnMatchesFloat64(t *testing.T) {
	property(t, func(d *drawing) {
		m, k, places := d.int("m", 1, 20), d.int("k", 1, 70), d.int("places", 1, 3)
		add, row, cRow := d.bool("add"), d.int("row", 0, 90), d.int("row of C", 1, 20)
		w, p := new(Walk), new(Places)
		for range d.int("stretches", 1, 4) {
			w.Then(d.r.IntN(50), d.r.IntN(50))
		}
		for i := range places {
			p.Then(d.r.IntN(50), i*m*cRow)
		}
		a, b := d.values(p.reachA+w.reachA+(m-1)*row+k), d.values(w.reachB+k)
		c := d.canaries(p.reachC + (m-1)*cRow + 1)
		MulColumn(c, cRow, m, k, a, row, b, w, p, add)
		var written []int
		for i := range m * places {
			var want sum
			if add {
				want.add(canary, 1)
			}
			for s := range w.Len() {
				from := int(p.table[i/m*2]) + int(w.table[2*s]) + i%m*row
				for l := range k {
					want.add(a[from+l], b[int(w.table[2*s+1])+l])
				}
			}
			want.compare(d, "C", i, c[i*cRow])
			written = append(written, i*cRow)
		}
		untouched(d, c, written)
	})
}

// The order of a sum must not depend on how a product is cut into tiles.
func TestMulColumnDoesNotDependOnTiles(t *testing.T) {
	property(t, func(d *drawing) {
		m, k := d.int("m", 1, 40), d.int("k", 1, 70)
		a, b, whole := d.values(m*k), d.values(k), make([]float32, m)
		MulColumn(whole, 1, m, k, a, k, b, Whole, Once, false)
		for i := range m {
			var single [1]float32
			MulColumn(single[:], 1, 1, k, a[i*k:], k, b, Whole, Once, false)
			if whole[i] != single[0] {
				d.Fatalf("row %d computed alone: got %v, want %v", i, single[0], whole[i])
			}
		}
	})
}

// A NaN or an infinity beside the lanes that count must not reach them.
func TestMulColumnIgnoresWhatLiesBeside(t *testing.T) {
	property(t, func(d *drawing) {
		k := d.int("k", 1, 40)
		a, b := d.values(2*k), d.values(k)
		for i := range k {
			a[k+i] = []float32{nan, inf}[i%2]
		}
		var c [1]float32
		MulColumn(c[:], 1, 1, k, a, k, b, Whole, Once, false)
		var want sum
		for i := range k {
			want.add(a[i], b[i])
		}
		want.compare(d, "C", 0, c[0])
	})
}
