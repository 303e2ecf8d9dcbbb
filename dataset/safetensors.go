package dataset

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model/safetensors"
)

// Keys of a file's metadata. A shard need not hold every class, so its labels
// alone do not tell how many there are.
const (
	metaClasses = "accord.classes"
	metaNames   = "accord.class_names" // a JSON array
)

// loadSafetensors reads the file at path.
func loadSafetensors(path string) (Split, error) {
	f, size, err := openFile(path)
	if err != nil {
		return Split{}, err
	}
	defer f.Close()
	split, err := decodeSafetensors(f, size)
	if err != nil {
		return Split{}, fmt.Errorf("%s: %w", path, err)
	}
	return split, nil
}

func decodeSafetensors(r io.ReaderAt, size int64) (Split, error) {
	f, err := safetensors.Open(r, size)
	if err != nil {
		return Split{}, err
	}
	split, err := splitOf(tensors{f})
	if err != nil {
		return Split{}, err
	}
	meta := f.Metadata()
	text, ok := meta[metaClasses]
	if !ok {
		return split, nil
	}
	sets := split.sets()
	classes, err := strconv.Atoi(text)
	if err != nil || classes < sets[0].classes || classes > MaxClasses {
		return Split{}, fault.Inputf("metadata %s is %.40q, but labels go up to %d", metaClasses, text, sets[0].classes-1)
	}
	var names []string
	if text, ok := meta[metaNames]; ok {
		if err := json.Unmarshal([]byte(text), &names); err != nil || len(names) != classes {
			return Split{}, fault.Inputf("metadata %s does not name %d classes", metaNames, classes)
		}
		if err := checkNames(names); err != nil {
			return Split{}, fmt.Errorf("metadata %s: %w", metaNames, err)
		}
	}
	for _, s := range sets {
		s.classes, s.names = classes, names
	}
	return split, nil
}

// tensors reads the arrays of a safetensors file.
type tensors struct{ *safetensors.File }

func (t tensors) has(name string) bool {
	_, ok := t.Lookup(name)
	return ok
}

func (t tensors) shape(name string) ([]int, error) {
	info, _ := t.Lookup(name)
	return info.Shape, nil
}

func (t tensors) images(name string) ([]uint8, []float32, error) {
	info, _ := t.Lookup(name)
	switch info.DType {
	case safetensors.U8:
		if info.Len() > maxBytes {
			break
		}
		r, err := t.Reader(name)
		if err != nil {
			return nil, nil, err
		}
		pixels := make([]uint8, info.Len())
		if _, err := io.ReadFull(r, pixels); err != nil {
			return nil, nil, readError(err)
		}
		return pixels, nil, nil
	case safetensors.F64, safetensors.F32, safetensors.F16, safetensors.BF16:
		if info.Len() > maxBytes/4 {
			break
		}
		values := make([]float32, info.Len())
		return nil, values, t.ReadFloat32(values, info, 0)
	default:
		return nil, nil, fault.Inputf("images of %s are not read, only U8 and floats", info.DType)
	}
	return nil, nil, fault.Inputf("%v elements are more than the %d bytes that are read", info.Shape, int64(maxBytes))
}

func (t tensors) labels(name string) ([]int32, error) {
	info, _ := t.Lookup(name)
	n := int(info.Len())
	if n > maxBytes/4 {
		return nil, fault.Inputf("%d labels are more than are read", n)
	}
	labels := make([]int32, n)
	block := make([]int64, min(n, 1<<12))
	for at := 0; at < n; at += len(block) {
		part := block[:min(len(block), n-at)]
		if err := t.ReadInt64(part, info, int64(at)); err != nil {
			return nil, err
		}
		for i, v := range part {
			label, err := checkLabel(at+i, v)
			if err != nil {
				return nil, err
			}
			labels[at+i] = label
		}
	}
	return labels, nil
}
