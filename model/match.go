package model

import (
	"fmt"
	"io"
	"slices"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model/safetensors"
)

// MatchFile opens weights for a warm start in a file that another program may
// have written. When the file has every name of the contract, tensors are
// matched by name; otherwise by order, a kernel before its bias, and shape. All
// must match, in any type that converts to float32. The second result says
// which rule held, in words for a log.
func MatchFile(r io.ReaderAt, size int64, c Contract) (*File, string, error) {
	f, err := safetensors.Open(r, size)
	if err != nil {
		return nil, "", fmt.Errorf("match weights: %w", err)
	}
	infos, how := f.Tensors(), "by order and shape"
	if checkNames(f, c) == nil {
		how = "by name"
		for i, t := range c.Tensors {
			infos[i], _ = f.Lookup(t.Name)
		}
	} else if err := kernelsFirst(infos, c); err != nil {
		return nil, "", fmt.Errorf("match weights: %w", err)
	}
	v, err := newFile(f, infos, c)
	if err != nil {
		return nil, "", fmt.Errorf("match weights %s: %w", how, err)
	}
	return v, how, nil
}

// MatchParams reads what MatchFile opens into memory; every element must be
// finite.
func MatchParams(r io.ReaderAt, size int64, c Contract) (*Params, string, error) {
	f, how, err := MatchFile(r, size, c)
	if err != nil {
		return nil, "", err
	}
	p, err := f.Params()
	if err != nil {
		return nil, "", fmt.Errorf("match weights %s: %w", how, err)
	}
	return p, how, nil
}

// kernelsFirst checks the number of tensors and swaps each pair that holds a
// bias before its kernel.
func kernelsFirst(infos []safetensors.Info, c Contract) error {
	if len(infos) != len(c.Tensors) {
		return fault.Inputf("the file has %d tensors, the model %d, and the names do not match", len(infos), len(c.Tensors))
	}
	for i := 0; i+1 < len(infos); i += 2 {
		kernel, bias := c.Tensors[i], c.Tensors[i+1]
		if slices.Equal(infos[i].Shape, bias.Shape) && slices.Equal(infos[i+1].Shape, kernel.Shape) {
			infos[i], infos[i+1] = infos[i+1], infos[i]
		}
	}
	return nil
}
