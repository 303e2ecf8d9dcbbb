// Package gossip tells nodes of one trust domain about each other: who is
// there, who has gone, what everybody does. It is memberlist, encrypted with
// the federation's keyring.
//
// What it tells is a hint. Whoever holds a key can say anything, so nothing
// here grants access, and nobody may end a connection that is alive because
// of it. All that is kept of other nodes is bounded in number and size; what
// is not encrypted with a key of the ring is dropped unread.
//
// Both sides of a federation use it, and participants do without the
// coordinator's code: so it lies below both.
package gossip
