//go:build !unix

package kernel

// guarded returns n zeroed elements. Where pages cannot be protected, only the
// canaries around results are watched.
func guarded[T any](_ *drawing, n int) []T { return make([]T, n) }
