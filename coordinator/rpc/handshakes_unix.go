//go:build unix

package rpc

import "golang.org/x/sys/unix"

// maxHandshakes is how many connections may be without a known peer at once: at
// most half of the files that this process may have open.
func maxHandshakes() int {
	const most = 1 << 14
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > 2*most {
		return most
	}
	return int(limit.Cur / 2)
}
