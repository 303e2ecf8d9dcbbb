// Package wiretest keeps conversations as they went over the wire, byte by
// byte, and plays them against today's servers and clients, so that a binary
// of tomorrow still understands one of today. It is for tests.
//
// A conversation that was recorded is not recorded again when the wire grows:
// it stays as it is, and a new one joins it.
package wiretest
