package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/accord-fl/accord/dataset"
)

// result is what one command line came to.
type result struct {
	code           int
	stdout, stderr string
}

// accord runs a command line in this process.
func accord(t *testing.T, args ...string) result {
	t.Helper()
	return accordWith(t.Context(), args...)
}

func accordWith(ctx context.Context, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// mustAccord runs a command line that has to succeed, and returns its stdout.
func mustAccord(t *testing.T, args ...string) string {
	t.Helper()
	r := accord(t, args...)
	if r.code != exitOK {
		t.Fatalf("accord %q: exit code %d\n%s", args, r.code, r.stderr)
	}
	return r.stdout
}

// decode reads one JSON object and nothing else.
func decode(t *testing.T, text string, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("decode %q: %v", text, err)
	}
	if d.More() {
		t.Fatalf("more than one JSON value in %q", text)
	}
}

// tinySpec is a network for the images of tinySet.
const tinySpec = `input: [4, 4, 1]
layers:
  - flatten: {}
  - dense: {units: 2, activation: softmax}
`

// tinyFiles writes a spec and a data set with training, validation and test
// images, and returns their flags.
func tinyFiles(t *testing.T, parts ...string) []string {
	t.Helper()
	dir := t.TempDir()
	spec, data := filepath.Join(dir, "spec.yaml"), filepath.Join(dir, "data.safetensors")
	writeFile(t, spec, tinySpec)
	var views dataset.Views
	for i, part := range parts {
		view := tinySet(t, 48+16*i).All()
		switch part {
		case "train":
			views.Train = view
		case "val":
			views.Val = view
		case "test":
			views.Test = view
		}
	}
	if err := dataset.WriteSafetensors(data, views); err != nil {
		t.Fatal(err)
	}
	return []string{"--spec", spec, "--dataset", "safetensors:" + data}
}

// tinySet draws n images of 4×4 pixels: class 1 is bright on the right.
func tinySet(t *testing.T, n int) *dataset.Set {
	t.Helper()
	pixels, labels := make([]uint8, 16*n), make([]int32, n)
	for i := range n {
		labels[i] = int32(i % 2)
		for p := range 16 {
			pixels[16*i+p] = uint8((7*i + 13*p) % 97)
			if right := p%4 >= 2; right == (labels[i] == 1) {
				pixels[16*i+p] += 100
			}
		}
	}
	set, err := dataset.FromBytes([3]int{4, 4, 1}, pixels, labels)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func makeFolder(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}
