// Package simulation runs a whole federation in one process: the
// coordinator's own driver, state machine and aggregation, and the
// participants' own training, with function calls in place of sockets.
//
// Virtual participants hold indices into shared data and share a few training
// engines, one a thread, so that a thousand of them fit in a laptop. A run
// with the same definition and the same shards gives the same model here and
// over the network, bit for bit.
package simulation
