package rpc

// maxSilent is how many connections may be without a known peer at once.
func maxSilent() int { return mostSilent }
