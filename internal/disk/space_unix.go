//go:build unix

package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// Space returns how many bytes this user may still write in the folder dir, and
// how many its file system has in all.
func Space(dir string) (free, size uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}
