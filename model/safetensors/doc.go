// Package safetensors reads and writes the safetensors format: named tensors
// in one file, opened by stock tools in any language.
//
// A file is an 8-byte little-endian header length, a JSON header that maps
// each name to {dtype, shape, data_offsets}, and the tensors' bytes. The
// format is that of https://github.com/huggingface/safetensors; elements are
// little-endian and in row-major order.
//
// What Open returns has been checked in full: names are unique, every
// tensor's bytes match its shape and element type, and the tensors cover the
// data without gap or overlap. Neither reading nor writing ever holds a
// tensor in memory. The bytes written are a function of the arguments alone.
package safetensors
