package report

import (
	"bytes"
	"os"
	"strconv"
)

// PeakRSS returns the most memory, in bytes, that this process has had in RAM
// at once, or 0 when the system does not tell.
func PeakRSS() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if kib, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib = bytes.TrimSuffix(bytes.TrimSpace(kib), []byte(" kB"))
			n, _ := strconv.ParseInt(string(bytes.TrimSpace(kib)), 10, 64) // 0 when it cannot be read
			return n * 1024
		}
	}
	return 0
}
