package kernel

// Family names the set of kernels that computes here. Results may differ in
// the last bits from one family to another, so a model's lineage tells it.
func Family() string { return "portable" }
