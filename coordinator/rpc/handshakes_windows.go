package rpc

// maxHandshakes is how many connections may be without a known peer at once.
func maxHandshakes() int { return 1 << 14 }
