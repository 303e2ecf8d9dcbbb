// Package kernel is the float32 arithmetic in which training spends its time.
//
// It knows matrices and runs of memory, not images: a convolution describes how
// it walks its input by segment tables and never copies its input into columns.
// Two products carry nearly all of the work, one for a dense left operand (GEMM)
// and one that visits only non-zeros (Sparse.Mul). The rest is element by
// element.
//
// The destination comes first. Shapes that do not fit panic; layers check them
// when they are built. Results depend on the operands only, never on time,
// threads or addresses. NaN and infinities pass through, except that a product
// which skips zeros takes 0·Inf and 0·NaN as 0. Products are rounded before they
// are added, on every processor, because Go would otherwise fuse them on some.
package kernel

// Lanes is the number of columns computed together; packed operands are laid
// out in panels of this width. Callers must not assume its value.
const Lanes = 4

const (
	errLength = "kernel: slices differ in length"
	errShape  = "kernel: an operand is too short for its shape"
)
