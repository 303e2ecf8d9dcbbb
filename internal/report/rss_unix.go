//go:build unix && !linux

package report

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// PeakRSS returns the most memory, in bytes, that this process has had in RAM
// at once, or 0 when the system does not tell.
func PeakRSS() int64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(usage.Maxrss) // bytes there, KiB elsewhere
	}
	return int64(usage.Maxrss) * 1024
}
