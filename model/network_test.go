package model_test

import (
	"testing"

	"github.com/accord-fl/accord/model"
)

// Counted by hand: products with zeros of the padding do not count, nor do those
// of positions that no maximum pool reads.
func TestFLOPs(t *testing.T) {
	const end = "\n- flatten:\n- dense: {units: 2, activation: softmax}"
	for name, c := range map[string]struct {
		text              string
		forward, training int // products
	}{
		"valid":          {"input: [6, 6, 3]\nlayers:\n- conv2d: {filters: 5, kernel: 2}" + end, 25*4*3*5 + 125*2, 2*25*4*3*5 + 3*125*2},
		"same":           {"input: [3, 3, 1]\nlayers:\n- conv2d: {filters: 1, kernel: 3, padding: same}" + end, 7*7 + 9*2, 2*7*7 + 3*9*2},
		"pool":           {"input: [6, 6, 1]\nlayers:\n- conv2d: {filters: 1, kernel: 2}\n- max_pooling2d:" + end, 16*4 + 4*2, 2*16*4 + 3*4*2},
		"pool with gaps": {"input: [6, 6, 1]\nlayers:\n- conv2d: {filters: 1, kernel: 1}\n- max_pooling2d: {pool: 1, strides: 3}" + end, 4 + 4*2, 2*4 + 3*4*2},
	} {
		spec, err := model.ParseSpec(name, []byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		network, err := model.NewNetwork(spec)
		if err != nil {
			t.Fatal(err)
		}
		if forward, training := network.FLOPs(); forward != 2*c.forward || training != 2*c.training {
			t.Errorf("%s: got %d and %d operations, want %d and %d", name, forward, training, 2*c.forward, 2*c.training)
		}
	}
}
