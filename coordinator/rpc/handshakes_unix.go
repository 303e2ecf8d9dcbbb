//go:build unix

package rpc

import "golang.org/x/sys/unix"

// maxSilent is how many connections may be without a known peer at once: at most
// half of the files that this process may have open.
func maxSilent() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > 2*mostSilent {
		return mostSilent
	}
	return int(limit.Cur / 2)
}
