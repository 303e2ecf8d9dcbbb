//go:build !amd64 && !arm64

package kernel

// families lists what this processor can run.
func families() []*family { return []*family{&portable} }
