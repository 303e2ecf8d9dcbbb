package safetensors

import (
	"bytes"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzOpen checks that whatever Open accepts is consistent, readable and
// survives being written again.
func FuzzOpen(f *testing.F) {
	f.Add(golden(f))
	f.Add(build(`{}`, 0))
	f.Add(build(`{"a":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},"b":{"dtype":"BOOL","shape":[],"data_offsets":[4,5]}}  `, 5))
	f.Add(build(`{"a":{"dtype":"U8","shape":[4294967296,4294967297],"data_offsets":[0,8]}}`, 8))
	f.Add(build(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]},"a":1}`, 8))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := Open(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		var copied bytes.Buffer
		w, err := NewWriter(&copied, file.Tensors(), file.Metadata())
		if err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
		for _, info := range file.Tensors() {
			if err := file.ReadFloat32(make([]float32, info.Len()), info, 0); err != nil {
				t.Fatalf("read %q: %v", info.Name, err)
			}
			r, err := file.Reader(info.Name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(w, r); err != nil {
				t.Fatalf("copy %q: %v", info.Name, err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := Open(bytes.NewReader(copied.Bytes()), int64(copied.Len()))
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if diff := cmp.Diff(file.Tensors(), again.Tensors()); diff != "" {
			t.Errorf("tensors (-first +second):\n%s", diff)
		}
	})
}
