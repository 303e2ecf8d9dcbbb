package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/fault"
)

// content is what the tests' file holds: more than one piece of data.
func content() []byte {
	b := make([]byte, 200_000)
	for i := range b {
		b[i] = byte(i * i >> 7)
	}
	return b
}

// sourceOf describes a file of the given content, on the given mirrors.
func sourceOf(content []byte, mirrors ...string) Source {
	sum := sha256.Sum256(content)
	return Source{Name: "test", Mirrors: mirrors, Files: []SourceFile{{"file.gz", int64(len(content)), hex.EncodeToString(sum[:])}}}
}

// mirror is a server of which the test tells how it answers.
type mirror struct {
	*httptest.Server
	requests atomic.Int32
	ranges   atomic.Pointer[string] // of the last request
}

func newMirror(t *testing.T, handle http.HandlerFunc) *mirror {
	m := &mirror{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.requests.Add(1)
		asked := r.Header.Get("Range")
		m.ranges.Store(&asked)
		handle(w, r)
	}))
	t.Cleanup(m.Close)
	return m
}

// serve answers as a good server does, ranges included.
func serve(content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "file.gz", time.Time{}, strings.NewReader(string(content)))
	}
}

// serveAll knows no ranges.
func serveAll(content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) }
}

// serveRange answers 206, whatever was asked for.
func serveRange(contentRange string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", contentRange)
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(body)
	}
}

// serveChunked sends body without telling its length.
func serveChunked(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		_, _ = w.Write(body)
	}
}

// cutOff declares the whole content and sends n bytes of it.
func cutOff(content []byte, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = w.Write(content[:n])
	}
}

func fails(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", status) }
}

// once answers the first request by first and the others by then.
func once(first, then http.HandlerFunc) http.HandlerFunc {
	var n atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			first(w, r)
			return
		}
		then(w, r)
	}
}

func impatient() FetchOptions {
	o := DefaultFetchOptions()
	o.Pause, o.Silence = 0, 20*time.Second
	return o
}

func TestFetch(t *testing.T) {
	good := content()
	other := append([]byte("x"), good[1:]...)
	size := len(good)
	for _, c := range []struct {
		name     string
		mirrors  []http.HandlerFunc
		part     []byte // there before
		warnings []string
		requests []int32 // of each mirror
		ranges   string  // of the last request to the last mirror
	}{
		{"first try", []http.HandlerFunc{serve(good)}, nil, nil, []int32{1}, ""},
		{"resumed", []http.HandlerFunc{serve(good)}, good[:70_000], nil, []int32{1}, "bytes=70000-"},
		{"complete, but not renamed", []http.HandlerFunc{serve(good)}, good, nil, []int32{0}, ""},
		{"empty part", []http.HandlerFunc{serve(good)}, []byte{}, nil, []int32{1}, ""},
		{"part too long", []http.HandlerFunc{serve(good)}, append(content(), 1), nil, []int32{1}, ""},
		{"part of another file", []http.HandlerFunc{serve(good)}, other[:70_000], []string{"starting over"}, []int32{2}, ""},
		{"complete part of another file", []http.HandlerFunc{serve(good)}, other, []string{"starting over"}, []int32{1}, ""},
		{"server ignores ranges", []http.HandlerFunc{serveAll(good)}, good[:70_000], nil, []int32{1}, "bytes=70000-"},
		{"server ignores ranges, part of another file", []http.HandlerFunc{serveAll(good)}, other[:70_000], nil, []int32{1}, "bytes=70000-"},
		{"range starts elsewhere", []http.HandlerFunc{once(serveRange(fmt.Sprintf("bytes 60000-%d/%d", size-1, size), good[60_000:]), serve(good))},
			good[:70_000], []string{"asked for bytes from 70000 on"}, []int32{2}, ""},
		{"range of another size", []http.HandlerFunc{once(serveRange(fmt.Sprintf("bytes 70000-%d/%d", size, size+1), good[70_000:]), serve(good))},
			good[:70_000], []string{"asked for bytes from 70000 on"}, []int32{2}, ""},
		{"range not satisfiable", []http.HandlerFunc{once(fails(http.StatusRequestedRangeNotSatisfiable), serve(good))}, good[:70_000], []string{"416"}, []int32{2}, ""},
		{"404, then the next mirror", []http.HandlerFunc{fails(http.StatusNotFound), serve(good)}, nil, []string{"404 Not Found"}, []int32{1, 1}, ""},
		{"503, then the next mirror resumes", []http.HandlerFunc{fails(http.StatusServiceUnavailable), serve(good)}, good[:70_000], []string{"503"}, []int32{1, 1}, "bytes=70000-"},
		{"503 once", []http.HandlerFunc{once(fails(http.StatusServiceUnavailable), serve(good))}, nil, []string{"503"}, []int32{2}, ""},
		{"cut off, then resumed", []http.HandlerFunc{once(cutOff(good, 50_000), serve(good))}, nil, []string{"cut off after 50000 of 200000 bytes"}, []int32{2}, "bytes=50000-"},
		{"cut off, then resumed from the next mirror", []http.HandlerFunc{cutOff(good, 50_000), serve(good)}, nil, []string{"cut off after"}, []int32{1, 1}, "bytes=50000-"},
		{"cut off with rubbish", []http.HandlerFunc{cutOff(other, 50_000), serve(good)}, nil, []string{"cut off after", "starting over"}, []int32{1, 2}, ""},
		{"wrong content, then the next mirror", []http.HandlerFunc{serve(other), serve(good)}, nil, []string{"SHA-256"}, []int32{1, 1}, ""},
		{"a page instead of the file", []http.HandlerFunc{serveAll([]byte("<html>log in first</html>")), serve(good)}, good[:70_000], []string{"another file: 25 bytes, want 200000"}, []int32{1, 1}, "bytes=70000-"},
		{"a page of unknown length", []http.HandlerFunc{serveChunked([]byte("<html>log in first</html>")), serve(good)}, nil, []string{"it ends after 25 of 200000 bytes"}, []int32{1, 1}, ""},
		{"longer than declared", []http.HandlerFunc{serveChunked(append(content(), 1)), serve(good)}, nil, []string{"more than the 200000 bytes"}, []int32{1, 1}, ""},
		{"declared too long", []http.HandlerFunc{serve(append(content(), make([]byte, 100)...)), serve(good)}, nil, []string{"another file: 200100 bytes"}, []int32{1, 1}, ""},
		{"206 that nobody asked for", []http.HandlerFunc{serveRange(fmt.Sprintf("bytes 5-%d/%d", size-1, size), good[5:]), serve(good)}, nil, []string{"asked for bytes from 0 on"}, []int32{1, 1}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of the time goes into waiting for the disk
			dir := filepath.Join(t.TempDir(), "deep", "data")
			part := filepath.Join(dir, "file.gz.part")
			if c.part != nil {
				writeFile(t, part, c.part)
			}
			var mirrors []*mirror
			var addresses []string
			for _, handle := range c.mirrors {
				m := newMirror(t, handle)
				mirrors, addresses = append(mirrors, m), append(addresses, m.URL)
			}
			o := impatient()
			var warnings []string
			o.Warn = func(err error) { warnings = append(warnings, err.Error()) }
			var last FetchProgress
			o.Progress = func(p FetchProgress) { last = p }
			done, err := Fetch(t.Context(), sourceOf(good, addresses...), dir, o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Fetched{Files: 1}, done); diff != "" {
				t.Errorf("done (-want +got):\n%s", diff)
			}
			got, err := os.ReadFile(filepath.Join(dir, "file.gz"))
			if err != nil || !cmp.Equal(got, good) {
				t.Errorf("another file, error %v", err)
			}
			if names := list(t, dir); len(names) != 1 {
				t.Errorf("got files %v, want one", names)
			}
			if len(warnings) != len(c.warnings) {
				t.Fatalf("got warnings %q, want %q", warnings, c.warnings)
			}
			for i, want := range c.warnings {
				if !strings.Contains(warnings[i], want) {
					t.Errorf("warning %d: got %q, want it to say %q", i, warnings[i], want)
				}
			}
			for i, want := range c.requests {
				if got := mirrors[i].requests.Load(); got != want {
					t.Errorf("mirror %d: got %d requests, want %d", i, got, want)
				}
			}
			if asked := mirrors[len(mirrors)-1].ranges.Load(); asked != nil && *asked != c.ranges {
				t.Errorf("range asked for last: got %q, want %q", *asked, c.ranges)
			} else if asked != nil && (last.Done != int64(size) || last.Total != int64(size) || last.File != "file.gz") {
				t.Errorf("last progress: got %+v", last)
			}
		})
	}
}

func TestFetchFails(t *testing.T) {
	good := content()
	other := append([]byte("x"), good[1:]...)
	unreachable := httptest.NewServer(nil)
	unreachable.Close()
	for _, c := range []struct {
		name     string
		handle   http.HandlerFunc // nil: nobody listens
		class    error
		says     string
		requests int32
		left     []string
	}{
		{"nobody listens", nil, fault.Unavailable, "refused", 0, nil},
		{"not found", fails(http.StatusNotFound), fault.Unavailable, "404 Not Found", 1, nil},
		{"busy", fails(http.StatusServiceUnavailable), fault.Unavailable, "503", 3, nil},
		{"another file", serve(other), fault.Input, "SHA-256", 1, nil},
		{"cut off again and again", cutOff(good, 50_000), fault.Unavailable, "cut off after 50000 of 200000 bytes", 3, []string{"file.gz.part"}},
		{"cut off before the first byte", cutOff(good, 0), fault.Unavailable, "cut off after 0", 3, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of the time goes into waiting for the disk
			dir := t.TempDir()
			address, m := unreachable.URL, (*mirror)(nil)
			if c.handle != nil {
				m = newMirror(t, c.handle)
				address = m.URL
			}
			_, err := Fetch(t.Context(), sourceOf(good, address+"/set"), dir, impatient())
			if !errors.Is(err, c.class) {
				t.Fatalf("got error %v, want one of class %v", err, c.class)
			}
			for _, want := range []string{c.says, "file.gz", address + "/set/file.gz"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got message %q, want it to say %q", err, want)
				}
			}
			if m != nil && m.requests.Load() != c.requests {
				t.Errorf("got %d requests, want %d", m.requests.Load(), c.requests)
			}
			if diff := cmp.Diff(c.left, list(t, dir)); diff != "" {
				t.Errorf("files left (-want +got):\n%s", diff)
			}
		})
	}
}

// What came before the interruption is what the next fetch goes on from.
func TestFetchCancelled(t *testing.T) {
	good, dir := content(), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	slow := newMirror(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(good)))
		_, _ = w.Write(good[:100_000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	o := impatient()
	o.Progress = func(p FetchProgress) {
		if p.Done == 100_000 {
			cancel()
		}
	}
	_, err := Fetch(ctx, sourceOf(good, slow.URL), dir, o)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v, want %v", err, context.Canceled)
	}
	if got := slow.requests.Load(); got != 1 {
		t.Errorf("got %d requests, want 1", got)
	}
	next := newMirror(t, serve(good))
	if _, err := Fetch(t.Context(), sourceOf(good, next.URL), dir, impatient()); err != nil {
		t.Fatal(err)
	}
	if got := *next.ranges.Load(); got != "bytes=100000-" {
		t.Errorf("asked for %q", got)
	}
}

func TestFetchGivesUpOnSilence(t *testing.T) {
	good := content()
	silent := newMirror(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(good)))
		_, _ = w.Write(good[:100])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	o := impatient()
	o.Rounds, o.Silence = 1, 50*time.Millisecond
	_, err := Fetch(t.Context(), sourceOf(good, silent.URL), t.TempDir(), o)
	if !errors.Is(err, fault.Unavailable) || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "it sends nothing") {
		t.Errorf("got error %v, want one of class Unavailable", err)
	}
}

func TestFetchKeepsWhatIsThere(t *testing.T) {
	good := content()
	sum := sha256.Sum256([]byte("labels"))
	m := newMirror(t, serve(good))
	source := sourceOf(good, m.URL)
	source.Files = append(source.Files, SourceFile{"labels.gz", 6, hex.EncodeToString(sum[:])})

	t.Run("the right file", func(t *testing.T) {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "labels.gz"), []byte("labels"))
		var first FetchProgress
		o := impatient()
		o.Progress = func(p FetchProgress) {
			if first.Done == 0 {
				first = p
			}
		}
		for _, want := range []Fetched{{Files: 1, Present: 1}, {Present: 2}} {
			got, err := Fetch(t.Context(), source, dir, o)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		}
		if first.Done <= 6 || first.Total != 200_006 {
			t.Errorf("progress: got %+v, want it to count what was there", first)
		}
		if got := m.requests.Load(); got != 1 {
			t.Errorf("got %d requests, want 1", got)
		}
	})
	t.Run("another file of that name", func(t *testing.T) {
		for _, text := range []string{"Labels", "other labels"} {
			dir := t.TempDir()
			path := filepath.Join(dir, "labels.gz")
			writeFile(t, path, []byte(text))
			_, err := Fetch(t.Context(), source, dir, impatient())
			if !errors.Is(err, fault.Exists) || !strings.Contains(err.Error(), path) {
				t.Errorf("got error %v, want one of class Exists", err)
			}
			if diff := cmp.Diff([]string{"labels.gz"}, list(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		}
	})
	t.Run("a file in place of the folder", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "data")
		writeFile(t, dir, []byte("mine"))
		if _, err := Fetch(t.Context(), source, dir, impatient()); !errors.Is(err, fault.Input) {
			t.Errorf("got error %v, want one of class Input", err)
		}
	})
	t.Run("a folder of the part's name", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "file.gz.part"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := Fetch(t.Context(), source, dir, impatient()); !errors.Is(err, fault.Input) {
			t.Errorf("got error %v, want one of class Input", err)
		}
	})
}

func TestSource(t *testing.T) {
	s, err := FindSource("mnist")
	if err == nil {
		err = s.Validate()
	}
	if err != nil || len(s.Files) != 4 || len(s.Mirrors) < 2 || s.Size() != 11_594_722 {
		t.Errorf("got %+v, error %v", s, err)
	}
	if _, err := FindSource("nist"); !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), "mnist") {
		t.Errorf("got error %v, want one of class Input that says what there is", err)
	}
	for name, spoil := range map[string]func(*Source){
		"no mirrors":           func(s *Source) { s.Mirrors = nil },
		"no files":             func(s *Source) { s.Files = nil },
		"a path for a mirror":  func(s *Source) { s.Mirrors = []string{"data/mnist"} },
		"another scheme":       func(s *Source) { s.Mirrors = []string{"ftp://host/mnist"} },
		"no host":              func(s *Source) { s.Mirrors = []string{"https:///mnist"} },
		"no address":           func(s *Source) { s.Mirrors = []string{"http://[::1"} },
		"a file outside":       func(s *Source) { s.Files[0].Name = "../file" },
		"a file further down":  func(s *Source) { s.Files[0].Name = "a/file" },
		"a file without name":  func(s *Source) { s.Files[0].Name = "" },
		"a file without size":  func(s *Source) { s.Files[0].Size = 0 },
		"half a checksum":      func(s *Source) { s.Files[0].SHA256 = s.Files[0].SHA256[:32] },
		"checksum of no digit": func(s *Source) { s.Files[0].SHA256 = strings.Repeat("x", 64) },
	} {
		s := sourceOf(content(), "https://host/mnist")
		spoil(&s)
		if _, err := Fetch(t.Context(), s, t.TempDir(), impatient()); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got error %v, want one of class Input", name, err)
		}
	}
}

// list returns the names of the files in dir.
func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// writeFile writes a file, in folders that it makes.
func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
