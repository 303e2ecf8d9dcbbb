// Package kernel is the float32 arithmetic that the engine spends its time in.
package kernel
