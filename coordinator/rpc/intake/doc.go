// Package intake bounds what connections bring before anything of it is
// believed: how many there are that nobody knows yet, how many calls and frames
// a caller sends in a second, and how many bytes of messages lie in memory that
// have not arrived whole, by caller and in all.
//
// It reads HTTP/2 frames and the prefixes of gRPC messages in passing, and
// changes nothing of what passes. gRPC itself bounds a stream, never a caller.
package intake
