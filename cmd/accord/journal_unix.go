//go:build unix

package main

import (
	"fmt"
	"os"
	"syscall"
)

// identity is device:inode of an open file, as JOURNAL_STREAM has it, or "".
func identity(f *os.File) string {
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}
