package dataset

import (
	"errors"
	"io"
	"os"

	"github.com/accord-fl/accord/internal/fault"
)

// openFile opens the regular file at path and returns its size. Anything else
// is not opened at all: that would wait at a named pipe.
func openFile(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, fault.As(fault.Input, err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fault.Inputf("%s is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fault.As(fault.Input, err)
	}
	if info, err = f.Stat(); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// readError puts what a decoder met into plain words. An end of data where
// more was declared is a fault of the file, and so is what gzip and deflate
// report; an error of the disk stays what it is.
func readError(err error) error {
	var path *os.PathError
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Inputf("cut short: %w", io.ErrUnexpectedEOF)
	case errors.As(err, &path):
		return err
	}
	return fault.Inputf("damaged: %w", err)
}
