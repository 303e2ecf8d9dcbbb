package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/internal/fault"
)

// build returns a file of the given header and as many data bytes.
func build(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	return append(b, make([]byte, data)...)
}

func TestOpenRefuses(t *testing.T) {
	const f32 = `{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	for _, c := range []struct {
		name string
		file []byte
		want string // part of the message
	}{
		{"empty file", nil, "too few"},
		{"seven bytes", make([]byte, 7), "too few"},
		{"no header", build("", 0), "does not start with '{'"},
		{"header longer than the file", append(binary.LittleEndian.AppendUint64(nil, 10), '{', '}'), "beyond the end"},
		{"header length all ones", bytes.Repeat([]byte{0xff}, 64), "above the limit"},
		{"header of 100 MB and a byte", binary.LittleEndian.AppendUint64(nil, 100_000_001), "above the limit"},
		{"leading space", build(` {}`, 0), "does not start with '{'"},
		{"array", build(`[]`, 0), "does not start with '{'"},
		{"invalid UTF-8", build("{\"\xff\":"+f32+"}", 8), "UTF-8"},
		{"invalid JSON", build(`{"a":`+f32, 8), "not valid JSON"},
		{"two documents", build(`{"a":`+f32+`}{}`, 8), "not valid JSON"},
		{"zero bytes as padding", build("{\"a\":"+f32+"}\x00\x00", 8), "not valid JSON"},
		{"duplicate tensor", build(`{"a":`+f32+`,"a":`+f32+`}`, 8), `key "a" appears twice`},
		{"duplicate tensor, other spelling", build(`{"a":`+f32+`,"\u0061":`+f32+`}`, 8), `key "a" appears twice`},
		{"duplicate field", build(`{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), `key "dtype" appears twice`},
		{"duplicate metadata", build(`{"__metadata__":{"k":"1","k":"2"}}`, 0), `key "k" appears twice`},
		{"metadata not strings", build(`{"__metadata__":{"k":1}}`, 0), "not a string"},
		{"metadata null", build(`{"__metadata__":null}`, 0), "want {"},
		{"name that redraws the screen", build(`{"a\u001b[2J":`+f32+`}`, 8), `header: the name "a\x1b[2J"`},
		{"name of two lines", build(`{"a\nb":`+f32+`}`, 8), `header: the name "a\nb"`},
		{"name that is reversed", build("{\"a\u202eb\":"+f32+"}", 8), `header: the name "a\u202eb"`},
		{"metadata key unseen", build("{\"__metadata__\":{\"k\u200b\":\"1\"}}", 0), `the name "k\u200b"`},
		{"tensor not an object", build(`{"a":3}`, 0), "want {"},
		{"no dtype", build(`{"a":{"shape":[2],"data_offsets":[0,8]}}`, 8), "needs dtype"},
		{"no shape", build(`{"a":{"dtype":"F32","data_offsets":[0,8]}}`, 8), "needs dtype"},
		{"no offsets", build(`{"a":{"dtype":"F32","shape":[2]}}`, 8), "needs dtype"},
		{"unknown field", build(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"order":"F"}}`, 8), "unknown key"},
		{"unknown dtype", build(`{"a":{"dtype":"Q8","shape":[2],"data_offsets":[0,2]}}`, 2), "unknown element type"},
		{"unsupported dtype", build(`{"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}`, 2), "not supported"},
		{"dtype in lower case", build(`{"a":{"dtype":"f32","shape":[2],"data_offsets":[0,8]}}`, 8), "unknown element type"},
		{"negative dimension", build(`{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8), "-2 is not a whole number"},
		{"minus zero", build(`{"a":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}`, 0), "-0 is not a whole number"},
		{"fraction", build(`{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}`, 8), "2.0 is not a whole number"},
		{"exponent", build(`{"a":{"dtype":"F32","shape":[2e0],"data_offsets":[0,8]}}`, 8), "2e0 is not a whole number"},
		{"dimension as a string", build(`{"a":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}`, 8), "not a number"},
		{"dimension beyond int64", build(`{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]}}`, 8), "not a whole number"},
		{"shape product overflows", build(`{"a":{"dtype":"U8","shape":[4294967296,4294967297],"data_offsets":[0,4294967296]}}`, 8), "overflows"},
		{"shape times size overflows", build(`{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}`, 0), "overflows"},
		{"one offset", build(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}`, 8), "want 2"},
		{"three offsets", build(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}`, 8), "want 2"},
		{"offsets backwards", build(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8), "backwards"},
		{"bytes differ from the shape", build(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), "takes 12 bytes"},
		{"beyond the data", build(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 7), "reach beyond"},
		{"overlap", build(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}}`, 7), "overlap"},
		{"same bytes twice", build(`{"a":`+f32+`,"b":`+f32+`}`, 8), "overlap"},
		{"gap", build(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}}`, 7), "no tensor owns"},
		{"gap at the start", build(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), "no tensor owns"},
		{"trailing bytes", build(`{"a":`+f32+`}`, 9), "1 bytes after the last tensor"},
		{"bytes without tensors", build(`{}`, 1), "1 bytes after the last tensor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(bytes.NewReader(c.file), int64(len(c.file)))
			if !errors.Is(err, ErrFormat) || !errors.Is(err, fault.Input) {
				t.Fatalf("got error %v, want ErrFormat of class Input", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got message %q, want it to say %q", err, c.want)
			}
		})
	}
}

func TestOpenAccepts(t *testing.T) {
	for _, c := range []struct {
		name string
		file []byte
		want []Info
	}{
		{"nothing at all", build(`{}`, 0), nil},
		{"padding", build("{}  \n\t ", 0), nil},
		{"empty tensor at a border, named first", build(`{"z":{"dtype":"U8","shape":[0,9223372036854775807],"data_offsets":[2,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 2), []Info{
			{Name: "a", DType: U8, Shape: []int{2}, End: 2}, {Name: "z", DType: U8, Shape: []int{0, math.MaxInt64}, Begin: 2, End: 2}}},
		{"empty tensor inside", build(`{"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]},"e":{"dtype":"F64","shape":[0],"data_offsets":[2,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 4), []Info{
			{Name: "a", DType: U8, Shape: []int{2}, End: 2}, {Name: "e", DType: F64, Shape: []int{0}, Begin: 2, End: 2}, {Name: "b", DType: U8, Shape: []int{2}, Begin: 2, End: 4}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Open(bytes.NewReader(c.file), int64(len(c.file)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, f.Tensors()); diff != "" {
				t.Errorf("tensors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSameHeaderOverOtherData(t *testing.T) {
	const header = `{"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	for range 2 {
		for _, data := range []int{8, 7, 9, 0, 8} {
			file := build(header, data)
			f, err := Open(bytes.NewReader(file), int64(len(file)))
			if (err == nil) != (data == 8) {
				t.Fatalf("%d bytes of data: got error %v", data, err)
			}
			if err == nil && (f.Tensors()[0].Name != "a" || f.Tensors()[1].Name != "b") {
				t.Fatalf("tensors are not in the order of their bytes: %v", f.Tensors())
			}
		}
	}
}

func TestOpenTellsTruncationFromReadErrors(t *testing.T) {
	raw := golden(t)
	for n := range len(raw) {
		if _, err := Open(bytes.NewReader(raw[:n]), int64(n)); !errors.Is(err, ErrFormat) {
			t.Fatalf("first %d bytes: got error %v, want ErrFormat", n, err)
		}
		if n >= 216 {
			continue // the header is whole: only reading the tensors can tell
		}
		if _, err := Open(bytes.NewReader(raw[:n]), int64(len(raw))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("first %d bytes of a longer file: got error %v, want unexpected EOF", n, err)
		}
	}
	broken := errors.New("disk on fire")
	if _, err := Open(failingReader{broken}, 100); !errors.Is(err, broken) || errors.Is(err, fault.Input) {
		t.Errorf("got error %v, want the reader's own", err)
	}
}

type failingReader struct{ err error }

func (f failingReader) ReadAt([]byte, int64) (int, error) { return 0, f.err }
