package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"unicode/utf8"
)

// Writer streams a file: NewWriter writes the header, and the tensors' bytes
// follow in order. It is not safe for concurrent use.
type Writer struct {
	w       io.Writer
	tensors []Info
	pos     int64 // bytes of data written
	at      int   // the tensor that pos lies in
	buf     []byte
}

// NewWriter writes the header of a file that holds the given tensors in the
// given order, and metadata where there is any; Begin and End of each Info are
// ignored. The header is compact JSON, metadata first with sorted keys, padded
// with spaces to a multiple of 8 bytes: the bytes of the format's own tools.
//
// Tools that map files into memory like each tensor aligned to its element
// size: give tensors with wider elements first.
func NewWriter(w io.Writer, tensors []Info, metadata map[string]string) (*Writer, error) {
	tensors = slices.Clone(tensors)
	if err := layOut(tensors); err != nil {
		return nil, err
	}
	head, err := encodeHeader(tensors, metadata)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(head); err != nil {
		return nil, err
	}
	return &Writer{w: w, tensors: tensors}, nil
}

// layOut checks the tensors and sets their offsets one after the other.
func layOut(tensors []Info) error {
	var pos int64
	seen := make(map[string]bool, len(tensors))
	for i := range tensors {
		t := &tensors[i]
		switch {
		case t.Name == metadataKey || !utf8.ValidString(t.Name):
			return fmt.Errorf("safetensors: %q cannot name a tensor", t.Name)
		case seen[t.Name]:
			return fmt.Errorf("safetensors: two tensors are named %q", t.Name)
		case t.DType.Size() == 0:
			return fmt.Errorf("safetensors: tensor %q has no element type", t.Name)
		}
		seen[t.Name] = true
		n, err := byteLen(t.DType, t.Shape)
		if err == nil && n > math.MaxInt64-pos {
			err = fmt.Errorf("shape %v overflows", t.Shape)
		}
		if err != nil {
			return fmt.Errorf("safetensors: tensor %q: %w", t.Name, err)
		}
		t.Begin, t.End = pos, pos+n
		pos = t.End
	}
	return nil
}

// encodeHeader returns the header with its length before and padding after it.
func encodeHeader(tensors []Info, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, 8))
	b.WriteByte('{')
	if len(metadata) > 0 {
		fmt.Fprintf(&b, `"%s":{`, metadataKey)
		for i, k := range slices.Sorted(maps.Keys(metadata)) {
			if !utf8.ValidString(k) || !utf8.ValidString(metadata[k]) {
				return nil, fmt.Errorf("safetensors: metadata %q is not valid UTF-8", k)
			}
			if i > 0 {
				b.WriteByte(',')
			}
			writeString(&b, k)
			b.WriteByte(':')
			writeString(&b, metadata[k])
		}
		b.WriteByte('}')
	}
	for i, t := range tensors {
		if i > 0 || len(metadata) > 0 {
			b.WriteByte(',')
		}
		writeString(&b, t.Name)
		fmt.Fprintf(&b, `:{"dtype":"%s","shape":[`, t.DType)
		for j, d := range t.Shape {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprint(&b, d)
		}
		fmt.Fprintf(&b, `],"data_offsets":[%d,%d]}`, t.Begin, t.End)
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len()-8 > maxHeader {
		return nil, fmt.Errorf("safetensors: header of %d bytes is above the limit of %d", b.Len()-8, maxHeader)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(b.Len()-8))
	return b.Bytes(), nil
}

// writeString appends s as a JSON string. < > & stay as they are.
func writeString(b *bytes.Buffer, s string) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic("safetensors: a string did not encode: " + err.Error()) // a string always encodes into memory
	}
	b.Truncate(b.Len() - 1) // Encode ends with a newline
}

// Write writes raw little-endian bytes of the tensors, in order; a call may
// span several tensors. More bytes than the header declared are an error, and
// none of them is written.
func (w *Writer) Write(p []byte) (int, error) {
	if left := w.end() - w.pos; int64(len(p)) > left {
		return 0, fmt.Errorf("safetensors: %d bytes written where %d are left", len(p), left)
	}
	n, err := w.w.Write(p)
	w.pos += int64(n)
	return n, err
}

// WriteFloat32 writes the next len(values) elements, which must belong to F32
// tensors; a call may span several tensors.
func (w *Writer) WriteFloat32(values []float32) error {
	if w.buf == nil && !littleEndian {
		w.buf = make([]byte, blockBytes)
	}
	for len(values) > 0 {
		for w.at < len(w.tensors) && w.pos >= w.tensors[w.at].End {
			w.at++
		}
		if w.at == len(w.tensors) {
			return fmt.Errorf("safetensors: %d values beyond the last tensor", len(values))
		}
		t := w.tensors[w.at]
		n := min(int64(len(values)), (t.End-w.pos)/4)
		if !littleEndian {
			n = min(n, int64(len(w.buf))/4)
		}
		if t.DType != F32 || n == 0 {
			return fmt.Errorf("safetensors: float32 values written into tensor %q of %s at byte %d", t.Name, t.DType, w.pos-t.Begin)
		}
		if _, err := w.Write(w.littleEndian(values[:n])); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// littleEndian returns the bytes of values in a file: their own memory, or a
// copy in buf.
func (w *Writer) littleEndian(values []float32) []byte {
	if littleEndian {
		return bytesOf(values)
	}
	for i, v := range values {
		binary.LittleEndian.PutUint32(w.buf[4*i:], math.Float32bits(v))
	}
	return w.buf[:4*len(values)]
}

// Close checks that every declared byte was written. It does not close the
// underlying writer.
func (w *Writer) Close() error {
	if left := w.end() - w.pos; left != 0 {
		return fmt.Errorf("safetensors: %d declared bytes were not written", left)
	}
	return nil
}

// end returns the bytes of data that the header declares.
func (w *Writer) end() int64 {
	if len(w.tensors) == 0 {
		return 0
	}
	return w.tensors[len(w.tensors)-1].End
}
