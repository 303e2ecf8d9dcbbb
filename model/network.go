package model

import (
	"fmt"

	"github.com/accord-fl/accord/model/layer"
)

// Contract returns the tensors of the network: NN.kernel and NN.bias, where NN
// counts the layers that have weights from 00. The spec must be valid.
func (s *Spec) Contract() Contract {
	seq, err := s.build()
	if err != nil {
		panic("model: Contract of a spec that Validate refuses: " + err.Error())
	}
	return contractOf(s, seq)
}

func contractOf(s *Spec, seq *layer.Sequence) Contract {
	c := Contract{Spec: s.Hash()}
	number := -1
	for _, w := range seq.Weights() {
		if w.Role == "kernel" {
			number++
		}
		c.Tensors = append(c.Tensors, TensorSpec{Name: fmt.Sprintf("%02d.%s", number, w.Role), DType: "F32", Shape: w.Shape})
	}
	return c
}

// Classes returns the number of classes, the length of the last layer's output.
// The spec must be valid.
func (s *Spec) Classes() int {
	seq, err := s.build()
	if err != nil {
		panic("model: Classes of a spec that Validate refuses: " + err.Error())
	}
	return seq.Out().C
}

// Network is a Spec that is ready to compute. It does not change and may be used
// by several engines at once.
type Network struct {
	spec     *Spec
	layers   *layer.Sequence
	contract Contract
}

// NewNetwork builds the network that s describes, with Validate's errors.
func NewNetwork(s *Spec) (*Network, error) {
	seq, err := s.build()
	if err != nil {
		return nil, err
	}
	spec := s.withDefaults()
	return &Network{spec: spec, layers: seq, contract: contractOf(spec, seq)}, nil
}

// Spec returns the spec with its defaults filled in. The caller must not change
// it.
func (n *Network) Spec() *Spec { return n.spec }

// Contract returns what weights for this network look like.
func (n *Network) Contract() Contract { return n.contract }

// Classes returns the number of classes.
func (n *Network) Classes() int { return n.layers.Out().C }

// FLOPs counts the floating-point operations that one sample needs in a forward
// pass and in a training step, those of the convolution and dense layers:
// positions that no maximum pool reads do not count, nor does padding.
func (n *Network) FLOPs() (forward, training int) {
	forward, training = n.layers.MultiplyAdds()
	return 2 * forward, 2 * training
}

// Bind plans the network's arithmetic. Its passes turn samples, without padding,
// into logits, one row a sample, to which the loss or a prediction applies
// softmax. dense is as in layer.Plan.
func (n *Network) Bind(dense bool) layer.Bound {
	in := n.spec.Input
	return n.layers.Bind(layer.Plan{In: layer.Packed(layer.Shape{H: in[0], W: in[1], C: in[2]}), First: true, Dense: dense})
}
