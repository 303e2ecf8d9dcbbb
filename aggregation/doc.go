// Package aggregation turns the updates of a round into the next global model:
// a Combiner makes K updates one Δ, a ServerOptimizer moves the model by it.
//
// Updates are read at random and block by block, as often as a combiner
// likes, so memory is O(participants × block) whatever the size of the model.
// Sums run in float64, in order of (participant, task): the same updates give
// the same bytes, whatever the order in which they arrived.
package aggregation
