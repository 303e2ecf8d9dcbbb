// Package registry is who belongs to a federation: which sites are invited,
// which have joined with which key, which were revoked or have left.
//
// It is rebuilt from a journal of its own. What it says holds from the moment
// at which it is durable, and it alone says who is let in: a certificate proves
// who somebody is, not that he still belongs.
package registry
