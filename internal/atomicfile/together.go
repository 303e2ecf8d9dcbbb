package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/accord-fl/accord/internal/disk"
)

// Replacement is a file to write, of mode 0o644 unless Mode says otherwise.
type Replacement struct {
	Path  string
	Mode  os.FileMode
	Write func(io.Writer) error
}

// WriteTogether replaces files of one folder: the first is renamed once all are
// durable, and the last rename comes last, so that a file which describes the
// others belongs after them. It asks the disk for less than as many calls of
// Write. When it fails, some of the files may be new; temporary ones are removed.
func (f Files) WriteTogether(files ...Replacement) (err error) {
	written := make([]temporary, len(files))
	var each sync.WaitGroup
	for i, file := range files {
		each.Go(func() { written[i] = f.prepare(file) })
	}
	each.Wait()
	defer func() {
		for _, t := range written {
			if t.path != "" && !t.renamed {
				_ = f.disk.Remove(t.path) // the error that matters is the one that left it
			}
		}
	}()
	for i, t := range written {
		if t.err != nil {
			return about(files[i].Path, t.err)
		}
	}
	for i := range written {
		if err := f.disk.Rename(written[i].path, files[i].Path); err != nil {
			return err
		}
		written[i].renamed = true
	}
	return f.disk.SyncDir(filepath.Dir(files[0].Path))
}

// about names the file that was to be written in the error of a temporary one, in
// place of what its writer says of that.
func about(path string, err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) && strings.HasPrefix(failed.Path, temporaryOf(path)) {
		return &fs.PathError{Op: failed.Op, Path: path, Err: failed.Err}
	}
	return fmt.Errorf("write %s: %w", path, err)
}

// temporaryOf begins the names of the temporary files for path.
func temporaryOf(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".")
}

// temporary is a file that is durable under another name than it is to have.
type temporary struct {
	path    string // "" when it was not made
	err     error
	renamed bool
}

// prepare writes a file under a temporary name in its folder.
func (f Files) prepare(r Replacement) (t temporary) {
	mode := r.Mode
	if mode == 0 {
		mode = 0o644
	}
	name := temporaryOf(r.Path) + strconv.FormatUint(rand.Uint64(), 36) + ".tmp"
	file, err := f.disk.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return temporary{err: err}
	}
	return temporary{path: name, err: fill(file, mode, r.Write)}
}

// fill writes a new file, makes it durable and closes it.
func fill(file disk.File, mode os.FileMode, write func(io.Writer) error) error {
	err := write(file)
	if err == nil {
		err = file.Chmod(mode)
	}
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}
