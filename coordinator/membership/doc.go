// Package membership joins what the coordinator knows of its participants,
// whose leases are the truth, with what gossip says of all nodes, which is a
// hint: a participant that gossip finds dead and whose stream is broken is
// given up sooner, and nothing else follows from it.
package membership
