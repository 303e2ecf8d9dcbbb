package policy

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/accord-fl/accord/internal/disk"
)

// appendTo writes a line at the end of the file at path, making it when needed.
// The line survives the end of the process at once, and a power cut when the
// system has written it out. When it cannot be written whole nothing of it stays,
// if the disk allows that much.
func appendTo(d disk.Disk, path string, line []byte) (err error) {
	f, err := d.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, torn, err := end(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if torn {
		line = append([]byte{'\n'}, line...)
	}
	if _, err = f.Write(line); err != nil {
		return errors.Join(err, f.Truncate(size))
	}
	return nil
}

// end returns a file's size, and whether a crash has left its last line without
// its end.
func end(f disk.File) (size int64, torn bool, err error) {
	size, err = f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return size, false, err
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], size-1)
	return size, last[0] != '\n', err
}
