package kernel

// Panels is a right operand B of K rows and N columns, cut into panels of Lanes
// columns: element (k, j) lies at (j/Lanes)·K·Lanes + k·Lanes + j%Lanes, and
// columns past N are zero. A row of a panel therefore starts at a multiple of
// Lanes, which RowOffset gives.
type Panels struct {
	K, N int
	data []float32
}

// NewPanels returns a zero operand of k rows and n columns.
func NewPanels(k, n int) Panels {
	return Panels{K: k, N: n, data: make([]float32, k*((n+Lanes-1)/Lanes)*Lanes)}
}

// RowOffset is where row k of the first panel starts: what a term that
// multiplies row k carries.
func RowOffset(k int) int32 { return int32(k * Lanes) }

// Pack fills rows [k0, k0+rows) from src, where element (k, j) lies at
// (k−k0)·row + j·col.
func (p Panels) Pack(k0, rows int, src []float32, row, col int) {
	if rows == 0 || p.N == 0 {
		return
	}
	if k0 < 0 || k0+rows > p.K || len(src) <= (rows-1)*row+(p.N-1)*col {
		panic(errShape)
	}
	for j := range p.N {
		to := (j/Lanes)*p.K*Lanes + k0*Lanes + j%Lanes
		from := j * col
		for range rows {
			p.data[to] = src[from]
			to += Lanes
			from += row
		}
	}
}
