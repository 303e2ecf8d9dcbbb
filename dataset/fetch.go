package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/accord-fl/accord/internal/fault"
)

// FetchOptions say how patient a download is and who hears of it.
type FetchOptions struct {
	Rounds  int           // how often every mirror is tried for a file, at least 1
	Pause   time.Duration // between rounds
	Silence time.Duration // a mirror that sends nothing for so long is given up
	Client  *http.Client
	// Progress, unless nil, is called after every piece of data.
	Progress func(FetchProgress)
	// Warn, unless nil, is called with what went wrong when another try follows.
	Warn func(error)
}

// FetchProgress is how far a download is.
type FetchProgress struct {
	File        string // the current one
	Done, Total int64  // bytes of all files, with those that were there before
}

// DefaultFetchOptions tries every mirror three times.
func DefaultFetchOptions() FetchOptions {
	return FetchOptions{Rounds: 3, Pause: 2 * time.Second, Silence: 30 * time.Second, Client: http.DefaultClient}
}

// Validate reports the first option that makes no sense.
func (o FetchOptions) Validate() error {
	if o.Rounds < 1 || o.Pause < 0 || o.Silence <= 0 || o.Client == nil {
		return fault.Inputf("fetch: want at least one round, a pause that is not negative, a time of silence and a client")
	}
	return nil
}

// Fetched is what Fetch did.
type Fetched struct {
	Files   int // fetched
	Present int // that were there already
}

// Fetch downloads the files of source to the folder dir, which it makes. What
// is there with the right checksum stays as it is; a file with another one is
// an error of class fault.Exists, and then nothing is fetched. A file gets its
// name only when it is complete and its checksum right. Until then its data
// are in NAME.part, and the next Fetch goes on from there, also after ctx was
// cancelled and from another mirror. When no mirror has a file, the error
// tells of each of them; it is of class fault.Unavailable where one could not be
// reached, and of class fault.Input where all sent something else.
func Fetch(ctx context.Context, source Source, dir string, o FetchOptions) (Fetched, error) {
	var done Fetched
	if err := errors.Join(source.Validate(), o.Validate()); err != nil {
		return done, err
	}
	f := fetcher{FetchOptions: o, dir: dir, mirrors: slices.Clone(source.Mirrors), total: source.Size()}
	var missing []SourceFile
	for _, file := range source.Files {
		present, err := isPresent(filepath.Join(dir, file.Name), file)
		switch {
		case err != nil:
			return done, err
		case present:
			done.Present++
			f.before += file.Size
		default:
			missing = append(missing, file)
		}
	}
	for _, file := range missing {
		if err := f.fetch(ctx, file); err != nil {
			return done, err
		}
		done.Files++
		f.before += file.Size
	}
	return done, nil
}

// isPresent reports whether path holds file. Another file in its place is
// nothing to overwrite: many sets use the names of MNIST's files.
func isPresent(path string, file SourceFile) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fault.As(fault.Input, err)
	case info.Mode().IsRegular() && info.Size() == file.Size:
		sum, err := fileSum(path)
		if err != nil || sum == file.SHA256 {
			return err == nil, err
		}
	}
	return false, fault.As(fault.Exists, fmt.Errorf("%s is already there with other content: move it away, or fetch to another folder", path))
}

// fetcher downloads the files of one source.
type fetcher struct {
	FetchOptions
	dir     string
	mirrors []string // the one that worked last comes first
	before  int64    // bytes of the files that are done
	total   int64
}

// What a failed try says about the tries to follow. Any other error of a try
// is worth another round.
var (
	errWrong = errors.New("this mirror does not have the file")    // another try would end the same way
	errStale = errors.New("what was fetched earlier is of no use") // and is gone: try again at once
	errLocal = errors.New("not the mirror's fault")
)

// fetch downloads one file, from whichever mirror has it.
func (f *fetcher) fetch(ctx context.Context, file SourceFile) error {
	failed := map[string]error{} // by mirror, the last error
	var last error
	for round := range f.Rounds {
		if round > 0 && slices.ContainsFunc(f.mirrors, func(m string) bool { return !errors.Is(failed[m], errWrong) }) {
			if err := sleep(ctx, f.Pause); err != nil {
				return fmt.Errorf("fetch %s: %w", file.Name, err)
			}
		}
		for _, mirror := range slices.Clone(f.mirrors) {
			if errors.Is(failed[mirror], errWrong) {
				continue
			}
			f.warn(last)
			err := f.try(ctx, mirror, file)
			if errors.Is(err, errStale) {
				f.warn(err)
				err = f.try(ctx, mirror, file)
			}
			switch {
			case err == nil:
				f.prefer(mirror)
				return nil
			case ctx.Err() != nil:
				return fmt.Errorf("fetch %s: %w", file.Name, ctx.Err())
			case errors.Is(err, errLocal):
				return fmt.Errorf("fetch %s: %w", file.Name, err)
			}
			failed[mirror], last = err, err
		}
	}
	all := []error{fmt.Errorf("no mirror gave %s", file.Name)}
	for _, mirror := range f.mirrors {
		all = append(all, failed[mirror])
	}
	return errors.Join(all...)
}

func (f *fetcher) warn(err error) {
	if f.Warn != nil && err != nil {
		f.Warn(err)
	}
}

// prefer moves a mirror to the front.
func (f *fetcher) prefer(mirror string) {
	i := slices.Index(f.mirrors, mirror)
	f.mirrors = slices.Insert(slices.Delete(f.mirrors, i, i+1), 0, mirror)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
