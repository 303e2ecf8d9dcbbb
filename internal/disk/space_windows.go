package disk

import (
	"os"

	"golang.org/x/sys/windows"
)

// Space returns how many bytes this user may still write in the folder dir, and
// how many its file system has in all.
func Space(dir string) (free, size uint64, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err == nil {
		err = windows.GetDiskFreeSpaceEx(path, &free, &size, nil)
	}
	if err != nil {
		return 0, 0, &os.PathError{Op: "GetDiskFreeSpaceEx", Path: dir, Err: err}
	}
	return free, size, nil
}
