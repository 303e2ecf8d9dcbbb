package safetensors

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden returns the bytes that testdata/golden.txt spells out.
func golden(tb testing.TB) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "golden.txt"))
	if err != nil {
		tb.Fatal(err)
	}
	var out []byte
	for n, line := range strings.Split(string(text), "\n") {
		if quoted, err := strconv.QuotedPrefix(line); err == nil {
			s, _ := strconv.Unquote(quoted)
			out = append(out, s...)
			continue
		}
		digits, _, _ := strings.Cut(line, "#")
		b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(digits), " ", ""))
		if err != nil {
			tb.Fatalf("golden.txt:%d: %v", n+1, err)
		}
		out = append(out, b...)
	}
	return out
}

var goldenTensors = []Info{
	{Name: "b", DType: I64, Shape: []int{2}, Begin: 0, End: 16},
	{Name: "a", DType: F32, Shape: []int{1, 2}, Begin: 16, End: 24},
	{Name: "é\"<", DType: U8, Begin: 24, End: 25},
}

func TestOpenGolden(t *testing.T) {
	raw := golden(t)
	f, err := Open(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(goldenTensors, f.Tensors()); diff != "" {
		t.Errorf("tensors (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"made": "by hand"}, f.Metadata()); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	ints, floats := make([]int64, 2), make([]float32, 2)
	if err := f.ReadInt64(ints, goldenTensors[0], 0); err != nil {
		t.Fatal(err)
	}
	if err := f.ReadFloat32(floats, goldenTensors[1], 0); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{-1, 2}, ints); diff != "" {
		t.Errorf("b (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]float32{1, -2.5}, floats); diff != "" {
		t.Errorf("a (-want +got):\n%s", diff)
	}
}

func TestWriteGolden(t *testing.T) {
	var got bytes.Buffer
	w, err := NewWriter(&got, goldenTensors, map[string]string{"made": "by hand"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte{255, 255, 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteFloat32([]float32{1, -2.5}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte{7}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(golden(t), got.Bytes()); diff != "" {
		t.Errorf("bytes (-want +got):\n%s", diff)
	}
}

// TestPythonOpensGolden asks the format's own implementation, where there is one.
func TestPythonOpensGolden(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("skipped: no python3")
	}
	if err := exec.Command(python, "-c", "import safetensors.numpy").Run(); err != nil {
		t.Skip("skipped: python3 has no safetensors and numpy")
	}
	path := filepath.Join(t.TempDir(), "golden.safetensors")
	if err := os.WriteFile(path, golden(t), 0o644); err != nil {
		t.Fatal(err)
	}
	const script = `
import sys, safetensors.numpy as st
t = st.load_file(sys.argv[1])
print(sorted((k, str(v.dtype), v.shape, v.tolist()) for k, v in t.items()))
raw = open(sys.argv[1], "rb").read()
print(st.save({k: t[k] for k in ("b", "a", 'é"<')}, metadata={"made": "by hand"}) == raw)
`
	out, err := exec.Command(python, "-c", script, path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := `[('a', 'float32', (1, 2), [[1.0, -2.5]]), ('b', 'int64', (2,), [-1, 2]), ('é"<', 'uint8', (), 7)]` + "\nTrue\n"
	if diff := cmp.Diff(want, strings.ReplaceAll(string(out), "\r\n", "\n")); diff != "" {
		t.Errorf("python reads (-want +got):\n%s", diff)
	}
}
