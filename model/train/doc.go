// Package train fits a network to samples and measures how well it does.
//
// A batch is cut into equal shards of at most 16 samples, and these into at most
// 16 groups, each with a gradient of its own; gradients are added in order, so the
// result is the same, bit for bit, for any number of threads. Steps allocate
// nothing. The engine draws no random numbers but those of the stream it is given,
// and starts no goroutine for a single thread.
package train
