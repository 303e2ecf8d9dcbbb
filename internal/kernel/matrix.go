package kernel

// Matrix is a matrix in panels of Width columns: element (i, j) lies at
// (j/Width)·Panel + i·Row + j%Width. Width is a multiple of Lanes.
type Matrix struct {
	Data              []float32
	Row, Width, Panel int
}

// Rows is a matrix of n columns whose rows lie row elements apart.
func Rows(data []float32, row, n int) Matrix {
	return Matrix{Data: data, Row: row, Width: n, Panel: n}
}

// Panels is a matrix of k rows and n columns, which is a multiple of Lanes, in
// the layout that suits the right operand of a product: panels of 32 columns
// where that divides n, or else of 16. It has k·n elements.
func Panels(data []float32, k, n int) Matrix {
	width := PanelWidth(n)
	return Matrix{Data: data, Row: width, Width: width, Panel: k * width}
}

// PanelWidth is the number of columns in a panel of Panels.
func PanelWidth(n int) int {
	if n%(2*Lanes) == 0 {
		return 2 * Lanes
	}
	return Lanes
}

// From is the matrix without its first i rows.
func (m Matrix) From(i int) Matrix {
	m.Data = m.Data[i*m.Row:]
	return m
}

// at is where element (i, j) lies.
func (m *Matrix) at(i, j int) int { return j/m.Width*m.Panel + i*m.Row + j%m.Width }

// reach is the number of elements that m rows of n columns take, from the first
// element to the last. n is a multiple of Lanes.
func (m *Matrix) reach(rows, n int) int {
	last := (n - 1) / m.Width
	width := m.Width
	if last == 0 {
		width = n
	}
	return last*m.Panel + (rows-1)*m.Row + width
}

// check panics unless m rows of n columns lie inside the matrix from element
// from on.
func (m *Matrix) check(from, rows, n int) {
	if m.Width < Lanes || m.Width%Lanes != 0 || n%Lanes != 0 {
		panic(errLanes)
	}
	if from < 0 || m.Row < 0 || m.Panel < 0 || len(m.Data) < from+m.reach(rows, n) {
		panic(errShape)
	}
}

// Import fills the first rows of m, k×n, from src, which has no padding.
func (m Matrix) Import(src []float32, k, n int) {
	m.eachPiece(k, n, func(piece []float32, at int) { copy(piece, src[at:]) })
}

// Export writes the first rows of m, k×n, to dst without padding.
func (m Matrix) Export(dst []float32, k, n int) {
	m.eachPiece(k, n, func(piece []float32, at int) { copy(dst[at:], piece) })
}

// eachPiece visits the parts of k rows of n columns that lie together, with their
// place among elements without padding.
func (m Matrix) eachPiece(k, n int, visit func(piece []float32, at int)) {
	for i := range k {
		for j := 0; j < n; j += m.Width {
			visit(m.Data[m.at(i, j):][:min(m.Width, n-j)], i*n+j)
		}
	}
}

// Transpose computes dst[j·dRow+i] = src[i·sRow+j] for i below rows and j below
// cols.
func Transpose(dst []float32, dRow int, src []float32, sRow, rows, cols int) {
	if rows < 1 || cols < 1 || dRow < 0 || sRow < 0 || len(dst) < (cols-1)*dRow+rows || len(src) < (rows-1)*sRow+cols {
		panic(errShape)
	}
	active.transpose(dst, dRow, src, sRow, rows, cols)
}

func transposePortable(dst []float32, dRow int, src []float32, sRow, rows, cols int) {
	for i := range rows {
		at := i
		for _, v := range src[i*sRow:][:cols] {
			dst[at] = v
			at += dRow
		}
	}
}
