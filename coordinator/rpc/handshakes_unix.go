//go:build unix

package rpc

import "golang.org/x/sys/unix"

// within bounds how many connections may be without a known peer, most, by a
// quarter of the files that this process may have open.
func within(most int) int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur/4 > uint64(most) {
		return most
	}
	return max(1, int(limit.Cur/4))
}
