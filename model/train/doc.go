// Package train fits a network to samples and measures how well it does.
//
// A batch is cut into shards of 16 samples. Each shard has a gradient of its
// own and shards are added in order, so the result is the same, bit for bit, for
// any number of threads. Steps allocate nothing. The engine draws no random
// numbers but those of the stream it is given, and starts no goroutine for a
// single thread.
package train
