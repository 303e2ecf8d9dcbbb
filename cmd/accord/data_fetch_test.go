package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/dataset"
)

// tinyMNIST describes files as those of MNIST, of a few images each, and
// serves them.
func tinyMNIST(t *testing.T) dataset.Source {
	t.Helper()
	files := map[string][]byte{}
	for part, n := range map[string]int{"train": 30, "t10k": 10} {
		images := binary.BigEndian.AppendUint32([]byte{0, 0, 8, 3}, uint32(n))
		images = append(images, 0, 0, 0, 28, 0, 0, 0, 28)
		labels := binary.BigEndian.AppendUint32([]byte{0, 0, 8, 1}, uint32(n))
		for i := range n {
			images = append(images, bytes.Repeat([]byte{byte(i)}, 28*28)...)
			labels = append(labels, byte(i%10))
		}
		files[part+"-images-idx3-ubyte"], files[part+"-labels-idx1-ubyte"] = images, labels
	}
	source := dataset.Source{Name: "mnist"}
	for name, data := range files {
		sum := sha256.Sum256(data)
		source.Files = append(source.Files, dataset.SourceFile{Name: name, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := files[strings.TrimPrefix(r.URL.Path, "/mnist/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	}))
	t.Cleanup(server.Close)
	source.Mirrors = []string{server.URL + "/mnist"}
	return source
}

// What was fetched is what the command that is recommended next reads.
func TestFetch(t *testing.T) {
	source := tinyMNIST(t)
	good := source.Mirrors[0]
	source.Mirrors = []string{good + "/wrong", good}
	out := filepath.Join(t.TempDir(), "deep", "mnist")
	for _, want := range []string{"fetched all 4 files", "all files were there already"} {
		var stdout, stderr bytes.Buffer
		if err := fetch(t.Context(), source, out, &stdout, &stderr); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{want, "accord data stats --dataset mnist --data " + out} {
			if !strings.Contains(stdout.String(), text) {
				t.Errorf("stdout lacks %q:\n%s", text, stdout.String())
			}
		}
		if fetched := strings.HasPrefix(want, "fetched"); strings.Contains(stderr.String(), "404 Not Found") != fetched || strings.Contains(stderr.String(), " kB of 31 kB") != fetched {
			t.Errorf("fetched: %v, but stderr is:\n%s", fetched, stderr.String())
		}
	}
	var stats dataStats
	decode(t, mustAccord(t, "data", "stats", "--dataset", "mnist", "--data", out, "--json"), &stats)
	if len(stats.Splits) != 2 || stats.Splits[0].Images != 30 || stats.Splits[1].Images != 10 || stats.Classes != 10 {
		t.Errorf("got %+v", stats)
	}
}

func TestFetchInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	err := fetch(ctx, tinyMNIST(t), t.TempDir(), &stdout, &stderr)
	if exitCode(err) != exitInterrupted || !strings.Contains(stderr.String(), "goes on from there") || stdout.Len() > 0 {
		t.Errorf("got error %v, stdout %q, stderr %q", err, stdout.String(), stderr.String())
	}
}

func TestDataFetchRefuses(t *testing.T) {
	mirror := tinyMNIST(t).Mirrors[0]
	occupied := t.TempDir()
	writeFile(t, filepath.Join(occupied, "t10k-labels-idx1-ubyte.gz"), "of another set")
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no set", []string{"--out", "x"}, exitUsage, "--help"},
		{"no folder", []string{"mnist"}, exitUsage, "out"},
		{"a folder without name", []string{"mnist", "--out", ""}, exitUsage, "--out"},
		{"unknown set", []string{"nist", "--out", "x"}, exitInput, "there is mnist"},
		{"no address", []string{"mnist", "--out", "x", "--mirror", "here"}, exitInput, `"here"`},
		{"a mirror without the files", []string{"mnist", "--out", "x", "--mirror", mirror}, exitUnavailable, "404"},
		{"a file of another set", []string{"mnist", "--out", occupied, "--mirror", mirror}, exitExists, "t10k-labels-idx1-ubyte.gz"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			r := accord(t, append([]string{"data", "fetch"}, c.args...)...)
			if r.code != c.code || !strings.Contains(r.stderr, c.says) || r.stdout != "" {
				t.Errorf("got exit code %d, stdout %q, stderr %q; want %d and %q", r.code, r.stdout, r.stderr, c.code, c.says)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
				t.Errorf("left behind: %v, error %v", entries, err)
			}
		})
	}
}
