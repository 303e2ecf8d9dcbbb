package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/fault"
)

// github.com/cavaliergopher/grab (v3.0.1 of 2022) downloads with resume too,
// but appends whatever a server sends for a range and keeps no bound, and
// knows no mirrors.

var errSilent = errors.New("it sends nothing")

// try asks one mirror for what is missing of a file.
func (f *fetcher) try(ctx context.Context, mirror string, file SourceFile) error {
	p, err := openPartial(filepath.Join(f.dir, file.Name), file)
	if err != nil {
		return fault.As(errLocal, err)
	}
	defer p.leave()
	if p.n == file.Size {
		return p.finish()
	}
	u, err := url.Parse(mirror)
	if err != nil {
		return fault.As(errWrong, fault.Inputf("mirror: %w", err))
	}
	u = u.JoinPath(file.Name)
	err = f.receive(ctx, u, p)
	if err == nil {
		err = p.finish()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", u.Redacted(), err)
	}
	return nil
}

// receive appends to p what the server sends.
func (f *fetcher) receive(parent context.Context, u *url.URL, p *partial) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	silence := time.AfterFunc(f.Silence, func() { cancel(errSilent) })
	defer silence.Stop()
	err := f.request(ctx, u, p, func() { silence.Reset(f.Silence) })
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return fault.As(fault.Unavailable, fmt.Errorf("%w for %v, after %d of %d bytes", errSilent, f.Silence, p.n, p.file.Size))
	}
	return err
}

// request is receive without the clock. It calls alive whenever data come.
func (f *fetcher) request(ctx context.Context, u *url.URL, p *partial, alive func()) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fault.As(errWrong, fault.Inputf("mirror: %w", err))
	}
	// The files are compressed, and what is pinned are their very bytes.
	request.Header.Set("Accept-Encoding", "identity")
	if p.n > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", p.n))
	}
	response, err := f.Client.Do(request)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err // without the address, which the caller tells
		}
		return fault.As(fault.Unavailable, err)
	}
	defer response.Body.Close()
	start, err := startOf(response, p)
	if err != nil {
		return err
	}
	if err := p.seek(start); err != nil {
		return fault.As(errLocal, err)
	}
	buf := make([]byte, 1<<16)
	for {
		n, err := response.Body.Read(buf)
		if int64(n) > p.file.Size-p.n {
			return p.drop(start, "it sends more than the %d bytes of the file", p.file.Size)
		}
		if n > 0 {
			alive()
			if err := p.write(buf[:n]); err != nil {
				return fault.As(errLocal, err)
			}
			if f.Progress != nil {
				f.Progress(FetchProgress{File: p.file.Name, Done: f.before + p.n, Total: f.total})
			}
		}
		switch {
		case errors.Is(err, io.EOF) && p.n < p.file.Size:
			return p.drop(start, "it ends after %d of %d bytes", p.n, p.file.Size)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fault.As(fault.Unavailable, fmt.Errorf("cut off after %d of %d bytes: %w", p.n, p.file.Size, err))
		}
	}
}

// startOf returns the place in the file at which the response's body begins.
func startOf(r *http.Response, p *partial) (int64, error) {
	start := int64(0)
	switch r.StatusCode {
	case http.StatusOK: // a server that knows no ranges sends it all
	case http.StatusPartialContent:
		var first, last, size int64
		if n, _ := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &size); n < 2 || first != p.n || n == 3 && size != p.file.Size {
			return 0, p.drop(0, "asked for bytes from %d on, it sends %.60q", p.n, r.Header.Get("Content-Range"))
		}
		start = first
	case http.StatusRequestedRangeNotSatisfiable:
		return 0, p.drop(0, "%s", r.Status)
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return 0, fault.As(fault.Unavailable, errors.New(r.Status))
	default:
		return 0, fault.As(errWrong, fault.As(fault.Unavailable, errors.New(r.Status)))
	}
	if r.ContentLength >= 0 && r.ContentLength != p.file.Size-start {
		return 0, fault.As(errWrong, fault.Inputf("another file: %d bytes, want %d", r.ContentLength, p.file.Size-start))
	}
	return start, nil
}

// partial is a file that is not complete yet: the first n bytes of it.
type partial struct {
	file   SourceFile
	path   string // of the complete file
	n      int64
	digest hash.Hash // of these n bytes
	older  bool      // some of them are from an earlier try
	out    *os.File  // nil until something is written
}

// openPartial takes up what earlier tries left.
func openPartial(path string, file SourceFile) (*partial, error) {
	p := &partial{file: file, path: path, digest: sha256.New()}
	info, err := os.Lstat(p.part())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return p, nil
	case err != nil:
		return nil, fault.As(fault.Input, err)
	case !info.Mode().IsRegular():
		return nil, fault.Inputf("%s is not a file", p.part())
	case info.Size() > file.Size:
		return p, nil // seek will cut it
	}
	in, err := os.Open(p.part())
	if err != nil {
		return nil, fault.As(fault.Input, err)
	}
	defer in.Close()
	p.n, err = io.Copy(p.digest, io.LimitReader(in, file.Size))
	p.older = p.n > 0
	return p, err
}

func (p *partial) part() string { return p.path + ".part" }

// seek makes the partial file end at start, which is n or 0.
func (p *partial) seek(start int64) error {
	if err := os.MkdirAll(filepath.Dir(p.path), 0o755); err != nil {
		return fault.As(fault.Input, err)
	}
	out, err := os.OpenFile(p.part(), os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return fault.As(fault.Input, err)
	}
	p.out = out
	if start == 0 {
		p.n, p.older = 0, false
		p.digest.Reset()
	}
	if err := out.Truncate(p.n); err != nil {
		return err
	}
	_, err = out.Seek(p.n, io.SeekStart)
	return err
}

func (p *partial) write(b []byte) error {
	n, err := p.out.Write(b)
	p.n += int64(n)
	p.digest.Write(b[:n])
	return err
}

// drop forgets everything from start on, because it is not of the file, and
// says so. When nothing is left, there is no partial file.
func (p *partial) drop(start int64, format string, args ...any) error {
	err, class := fault.Inputf(format, args...), errWrong
	if p.older && start == 0 {
		err, class = fmt.Errorf("%s is of no use, starting over: %w", p.part(), err), errStale
	}
	if start == 0 {
		p.n = 0
		err = errors.Join(err, p.remove())
	} else {
		err = errors.Join(err, p.out.Truncate(start))
	}
	return fault.As(class, err)
}

// finish gives the complete file its name, if it is the right one.
func (p *partial) finish() error {
	if sum := hex.EncodeToString(p.digest.Sum(nil)); sum != p.file.SHA256 {
		return p.drop(0, "another file: its SHA-256 is %s, want %s", sum, p.file.SHA256)
	}
	if p.out == nil { // complete since an earlier try
		if err := p.seek(p.n); err != nil {
			return fault.As(errLocal, err)
		}
	}
	err := errors.Join(p.out.Sync(), p.out.Close())
	p.out = nil
	if err == nil {
		err = os.Rename(p.part(), p.path)
	}
	if err == nil {
		err = atomicfile.SyncDir(filepath.Dir(p.path))
	}
	return fault.As(errLocal, err)
}

// leave ends a try. What was received stays for the next one.
func (p *partial) leave() {
	switch {
	case p.out == nil:
	case p.n == 0:
		_ = p.remove() // an empty file is no harm
	default:
		_ = p.out.Close() // the next try checks what really is there
		p.out = nil
	}
}

// remove closes and removes the partial file, if there is one.
func (p *partial) remove() error {
	if p.out != nil {
		_ = p.out.Close() // it goes away
		p.out = nil
	}
	if err := os.Remove(p.part()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// fileSum returns the SHA-256 of a file, in hex.
func fileSum(path string) (string, error) {
	f, _, err := openFile(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
