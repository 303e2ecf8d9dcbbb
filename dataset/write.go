package dataset

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model/safetensors"
)

// Views are the parts of a file to write; nil ones are left out.
type Views struct {
	Train, Val, Test *View
}

// WriteSafetensors writes the views' images as x_train, x_val and x_test,
// [n, h, w, c], U8 or F32 as their sets hold them, and the labels as y_train,
// y_val and y_test, [n], I64. Load gives the same images in the same order and
// the same number of classes, so that training on them is the same bit for
// bit. The bytes are a function of the views alone. The file at path is
// replaced whole or not at all.
func WriteSafetensors(path string, views Views) error {
	return atomicfile.Write(path, views.encode)
}

// namedView is a view and what its arrays are called.
type namedView struct {
	pair
	*View
}

func (v Views) named() ([]namedView, error) {
	scheme := schemes()[1]
	var named []namedView
	for i, view := range []*View{v.Train, v.Val, v.Test} {
		if view == nil {
			continue
		}
		named = append(named, namedView{scheme[i], view})
		if view.Len() == 0 {
			return nil, fault.Inputf("%s: no images", scheme[i].images)
		}
		if first := named[0].set; view.set.shape != first.shape || view.set.classes != first.classes {
			return nil, fault.Inputf("%s and %s differ in shape or number of classes", named[0].images, scheme[i].images)
		}
	}
	if len(named) == 0 {
		return nil, fault.Inputf("no images")
	}
	return named, nil
}

// encode writes wide elements first, which keeps every tensor aligned.
func (v Views) encode(w io.Writer) error {
	views, err := v.named()
	if err != nil {
		return err
	}
	images := slices.Clone(views)
	slices.SortStableFunc(images, func(a, b namedView) int { return cmp.Compare(b.dtype().Size(), a.dtype().Size()) })
	infos := make([]safetensors.Info, 0, 2*len(views))
	for _, v := range views {
		infos = append(infos, safetensors.Info{Name: v.labels, DType: safetensors.I64, Shape: []int{v.Len()}})
	}
	for _, v := range images {
		shape := v.Shape()
		infos = append(infos, safetensors.Info{Name: v.images, DType: v.dtype(), Shape: []int{v.Len(), shape[0], shape[1], shape[2]}})
	}
	meta, err := metadata(views[0].set)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(w, 1<<16)
	out, err := safetensors.NewWriter(buffered, infos, meta)
	if err != nil {
		return err
	}
	for _, v := range views {
		if err := v.writeLabels(out); err != nil {
			return err
		}
	}
	for _, v := range images {
		if err := v.writeImages(out); err != nil {
			return err
		}
	}
	return errors.Join(out.Close(), buffered.Flush())
}

func metadata(s *Set) (map[string]string, error) {
	meta := map[string]string{metaClasses: strconv.Itoa(s.classes)}
	if s.names != nil {
		names, err := json.Marshal(s.names)
		if err != nil {
			return nil, err
		}
		meta[metaNames] = string(names)
	}
	return meta, nil
}

func (v namedView) dtype() safetensors.DType {
	if v.set.values != nil {
		return safetensors.F32
	}
	return safetensors.U8
}

func (v namedView) writeLabels(w *safetensors.Writer) error {
	var word [8]byte
	for i := range v.Len() {
		binary.LittleEndian.PutUint64(word[:], uint64(v.Label(i)))
		if _, err := w.Write(word[:]); err != nil {
			return err
		}
	}
	return nil
}

func (v namedView) writeImages(w *safetensors.Writer) error {
	size := v.set.size()
	for _, i := range v.indices {
		var err error
		if v.set.values != nil {
			err = w.WriteFloat32(v.set.values[i*size:][:size])
		} else {
			_, err = w.Write(v.set.pixels[i*size:][:size])
		}
		if err != nil {
			return err
		}
	}
	return nil
}
