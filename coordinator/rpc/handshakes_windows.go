package rpc

// within bounds how many connections may be without a known peer, by what the
// system has.
func within(most int) int { return most }
