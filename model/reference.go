package model

// Reference returns the reference network for 28×28 grey images of ten classes:
// 93,322 parameters.
//
//	Conv2D 32 3×3 ReLU – MaxPool 2 – Conv2D 64 3×3 ReLU – MaxPool 2 –
//	Conv2D 64 3×3 ReLU – Flatten – Dense 64 ReLU – Dense 10 softmax
func Reference() *Spec {
	s, err := ReferenceFor(28, 28, 1, 10)
	if err != nil {
		panic("model: the reference network is wrong: " + err.Error())
	}
	return s
}

// ReferenceFor returns the reference network for other images and classes. It
// fails when the image is too small for two pools and three convolutions (below
// 18×18) or there are fewer than two classes.
func ReferenceFor(h, w, c, classes int) (*Spec, error) {
	conv := func(filters int) LayerSpec {
		return LayerSpec{Conv2D: &Conv2DSpec{Filters: filters, Kernel: Pair{3, 3}, Activation: ReLU}}
	}
	pool := func() LayerSpec { return LayerSpec{MaxPooling2D: &PoolingSpec{}} }
	s := &Spec{
		Input: [3]int{h, w, c},
		Layers: []LayerSpec{
			conv(32), pool(), conv(64), pool(), conv(64),
			{Flatten: &FlattenSpec{}},
			{Dense: &DenseSpec{Units: 64, Activation: ReLU}},
			{Dense: &DenseSpec{Units: classes, Activation: Softmax}},
		},
	}
	s = s.withDefaults()
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}
