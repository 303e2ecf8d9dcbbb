// Package digits draws images of the digits 0 to 9 as different sites would
// have scanned them: each site prints with fonts of its own, on its own paper
// and forms, through its own scanner.
//
// Everything is computed in integers from streams of internal/rng, so the same
// seed gives the same bytes on every 64-bit platform. A site's images depend on
// the seed and on the site's number only, not on how many sites there are.
package digits
