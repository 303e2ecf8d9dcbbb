// Package wire holds what both ends of a gRPC connection must agree on and
// what neither may get wrong: how artefacts are cut into chunks, how large a
// message may be, how verdicts are spelled, and when a connection may do
// without certificates.
package wire
