package dataset

import "github.com/accord-fl/accord/internal/kernel"

// View is some of a set's images in a given order: a site's shard, or all of
// them. It holds indices only. Any number of goroutines may read it.
type View struct {
	set     *Set
	indices []int
}

// View returns the images with the given indices, in that order; the view
// keeps the slice. It panics when an index is out of range.
func (s *Set) View(indices []int) *View {
	for _, i := range indices {
		if i < 0 || i >= s.Len() {
			panic("dataset: index out of range")
		}
	}
	return &View{set: s, indices: indices}
}

// All returns a view of the whole set in its own order.
func (s *Set) All() *View {
	indices := make([]int, s.Len())
	for i := range indices {
		indices[i] = i
	}
	return &View{set: s, indices: indices}
}

// Len returns the number of images in view.
func (v *View) Len() int { return len(v.indices) }

// Shape returns height, width and channels.
func (v *View) Shape() [3]int { return v.set.shape }

// Classes returns the number of classes of the set, not of the view alone.
func (v *View) Classes() int { return v.set.classes }

// Label returns the label of the view's image i.
func (v *View) Label(i int) int32 { return v.set.labels[v.indices[i]] }

// Indices returns the view's indices into its set. The caller must not change
// them.
func (v *View) Indices() []int { return v.indices }

// Counts returns the number of images of each class.
func (v *View) Counts() []int {
	counts := make([]int, v.set.classes)
	for _, i := range v.indices {
		counts[v.set.labels[i]]++
	}
	return counts
}

// Gather writes the view's images idx to x, [len(idx), h, w, c], and their
// labels to y, [len(idx)]. It panics when x or y has another length.
func (v *View) Gather(x []float32, y []int32, idx []int) {
	s := v.set
	size := s.size()
	if len(x) != len(idx)*size || len(y) != len(idx) {
		panic("dataset: Gather: x or y does not fit the indices")
	}
	for j, k := range idx {
		i := v.indices[k]
		y[j] = s.labels[i]
		dst := x[j*size:][:size]
		if s.values != nil {
			copy(dst, s.values[i*size:])
			continue
		}
		kernel.FromBytes(dst, s.pixels[i*size:][:size])
	}
}
