// Package layer holds the layers of a network: shapes checked when built,
// memory taken when bound, arithmetic in internal/kernel.
//
// A Layer is an immutable description. Bind plans its arithmetic, with copies of
// weights as some kernels want them; NewPass gives one worker its activations.
// Samples lie one after another, each [height, width, channels] with channels
// last. A pass belongs to one goroutine; passes of one Bound may run at once, but
// not while Refresh copies.
package layer
