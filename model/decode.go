package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decodeSpec reads a spec from parsed YAML, without checking that it makes
// sense as a network. lines tells where each layer begins, from 1.
func decodeSpec(n ast.Node) (s *Spec, lines []int, err error) {
	s = &Spec{}
	err = decodeMap(n, "a spec", fields{
		"input":  func(n ast.Node) error { return decodeInput(n, &s.Input) },
		"layers": func(n ast.Node) (err error) { s.Layers, lines, err = decodeLayers(n); return err },
	}, "input", "layers")
	if err != nil {
		return nil, nil, err
	}
	return s, lines, nil
}

func decodeInput(n ast.Node, to *[3]int) error {
	list, ok := n.(*ast.SequenceNode)
	if !ok || len(list.Values) != 3 {
		return wrong(n, "input must be [height, width, channels]")
	}
	for i, v := range list.Values {
		if err := decodeInt(v, "input", &to[i]); err != nil {
			return err
		}
	}
	return nil
}

func decodeLayers(n ast.Node) (layers []LayerSpec, lines []int, err error) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return nil, nil, wrong(n, "layers must be a list, each entry one layer such as `- flatten: {}`")
	}
	if len(list.Values) > MaxLayers {
		return nil, nil, wrong(n, "%d layers are above the limit of %d", len(list.Values), MaxLayers)
	}
	for i, v := range list.Values {
		var l LayerSpec
		if err := decodeLayer(v, i+1, &l); err != nil {
			return nil, nil, err
		}
		layers, lines = append(layers, l), append(lines, lineOf(v))
	}
	return layers, lines, nil
}

func decodeLayer(n ast.Node, number int, to *LayerSpec) error {
	what := fmt.Sprintf("layer %d", number)
	found := 0
	kind := func(name string, decode func(n ast.Node, what string) error) func(ast.Node) error {
		return func(n ast.Node) error {
			if found++; found > 1 {
				return wrong(n, "%s has a second kind, %s: start a new list entry with `-`", what, name)
			}
			return decode(n, fmt.Sprintf("%s (%s)", what, name))
		}
	}
	err := decodeMap(n, what, fields{
		"conv2d":            kind("conv2d", to.decodeConv2D),
		"max_pooling2d":     kind("max_pooling2d", pooling(&to.MaxPooling2D)),
		"average_pooling2d": kind("average_pooling2d", pooling(&to.AveragePooling2D)),
		"flatten":           kind("flatten", to.decodeFlatten),
		"dense":             kind("dense", to.decodeDense),
		"activation":        kind("activation", to.decodeActivation),
	})
	if err == nil && found == 0 {
		return wrong(n, "%s is empty", what)
	}
	return err
}

func (l *LayerSpec) decodeConv2D(n ast.Node, what string) error {
	l.Conv2D = &Conv2DSpec{}
	c := l.Conv2D
	return decodeMap(n, what, fields{
		"filters":            integer("filters", &c.Filters),
		"kernel":             pair("kernel", &c.Kernel),
		"strides":            pair("strides", &c.Strides),
		"padding":            text("padding", &c.Padding),
		"activation":         text("activation", &c.Activation),
		"kernel_initializer": text("kernel_initializer", &c.KernelInitializer),
	}, "filters", "kernel")
}

func (l *LayerSpec) decodeDense(n ast.Node, what string) error {
	l.Dense = &DenseSpec{}
	d := l.Dense
	return decodeMap(n, what, fields{
		"units":              integer("units", &d.Units),
		"activation":         text("activation", &d.Activation),
		"kernel_initializer": text("kernel_initializer", &d.KernelInitializer),
	}, "units")
}

func (l *LayerSpec) decodeFlatten(n ast.Node, what string) error {
	l.Flatten = &FlattenSpec{}
	return decodeMap(n, what, fields{})
}

// decodeActivation accepts the function's name alone, too.
func (l *LayerSpec) decodeActivation(n ast.Node, what string) error {
	l.Activation = &ActivationSpec{}
	decode := text("activation", &l.Activation.Activation)
	if _, ok := n.(*ast.StringNode); ok {
		return decode(n)
	}
	return decodeMap(n, what, fields{"activation": decode}, "activation")
}

func pooling(to **PoolingSpec) func(ast.Node, string) error {
	return func(n ast.Node, what string) error {
		p := &PoolingSpec{}
		*to = p
		return decodeMap(n, what, fields{
			"pool":    pair("pool", &p.Pool),
			"strides": pair("strides", &p.Strides),
			"padding": text("padding", &p.Padding),
		})
	}
}

// fields maps a key to what reads its value.
type fields map[string]func(ast.Node) error

// decodeMap reads a map whose keys must be known, distinct and, where required,
// present. A value left out altogether counts as an empty map.
func decodeMap(n ast.Node, what string, known fields, required ...string) error {
	values, err := mapValues(n, what)
	if err != nil {
		return err
	}
	seen := make(map[string]bool, len(values))
	for _, v := range values {
		key := v.Key.String()
		if k, ok := v.Key.(*ast.StringNode); ok {
			key = k.Value
		}
		decode, ok := known[key]
		if !ok {
			return wrong(v.Key, "%s: unknown key %q%s", what, key, known.hint())
		}
		if seen[key] {
			return wrong(v.Key, "%s: key %q appears twice", what, key)
		}
		seen[key] = true
		if err := decode(v.Value); err != nil {
			return err
		}
	}
	for _, key := range required {
		if !seen[key] {
			return wrong(n, "%s: key %q is missing", what, key)
		}
	}
	return nil
}

func mapValues(n ast.Node, what string) ([]*ast.MappingValueNode, error) {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values, nil
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}, nil
	case *ast.NullNode:
		return nil, nil
	}
	return nil, wrong(n, "%s must be a map, got %s", what, strings.ToLower(n.Type().String()))
}

func (f fields) hint() string {
	if len(f) == 0 {
		return ": it takes none"
	}
	keys := make([]string, 0, len(f))
	for k := range f {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return ": use " + strings.Join(keys, ", ")
}

func integer(key string, to *int) func(ast.Node) error {
	return func(n ast.Node) error { return decodeInt(n, key, to) }
}

// decodeInt reads a positive number.
func decodeInt(n ast.Node, key string, to *int) error {
	if i, ok := n.(*ast.IntegerNode); ok {
		if v, ok := i.Value.(uint64); ok && v >= 1 && v <= maxSize {
			*to = int(v)
			return nil
		}
	}
	return wrong(n, "%s is %s, must be a whole number in 1…%d", key, n, maxSize)
}

// pair reads a number, or a list of two.
func pair(key string, to *Pair) func(ast.Node) error {
	return func(n ast.Node) error {
		if list, ok := n.(*ast.SequenceNode); ok {
			if len(list.Values) != 2 {
				return wrong(n, "%s must be a number or [height, width]", key)
			}
			if err := decodeInt(list.Values[0], key, &to[0]); err != nil {
				return err
			}
			return decodeInt(list.Values[1], key, &to[1])
		}
		if err := decodeInt(n, key, &to[0]); err != nil {
			return err
		}
		to[1] = to[0]
		return nil
	}
}

// text reads a name; whether it is a known one is checked with the network.
func text[T ~string](key string, to *T) func(ast.Node) error {
	return func(n ast.Node) error {
		s, ok := n.(*ast.StringNode)
		if !ok || s.Value == "" {
			return wrong(n, "%s is %s, must be a name", key, n)
		}
		*to = T(s.Value)
		return nil
	}
}

func wrong(n ast.Node, format string, args ...any) error {
	return &SpecError{Line: lineOf(n), Message: fmt.Sprintf(format, args...)}
}
