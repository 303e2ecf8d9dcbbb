package config

import (
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
)

// Model says which network a run trains. In YAML it is the word reference, a
// file ({spec: FILE}), a spec written out ({input: …, layers: …}) or the word
// opaque. At most one field is set; none, for opaque, means that only the names
// and shapes of the initial model's tensors are known.
type Model struct {
	Reference bool   // the reference network, fitted to the data's image size and classes
	File      string // a spec that was not read yet
	Spec      *model.Spec
}

var (
	_ yaml.NodeUnmarshaler    = (*Model)(nil)
	_ yaml.InterfaceMarshaler = Model{}
)

// Resolve returns the spec for images of h×w×c in the given number of
// classes, or nil when the run has none. It fails when the reference network
// cannot be fitted to such images.
func (m Model) Resolve(h, w, c, classes int) (*model.Spec, error) {
	if m.Reference {
		return model.ReferenceFor(h, w, c, classes)
	}
	return m.Spec, nil
}

// IsZero reports whether no network is named.
func (m Model) IsZero() bool { return m == Model{} }

// MarshalYAML gives the form that UnmarshalYAML reads.
func (m Model) MarshalYAML() (any, error) {
	switch {
	case m.IsZero():
		return "opaque", nil
	case m.Reference:
		return "reference", nil
	case m.File != "":
		return map[string]string{"spec": m.File}, nil
	default:
		return m.Spec, nil
	}
}

// UnmarshalYAML reads the first two forms. A spec that is written out is left
// to document.spec, which knows the lines around it.
func (m *Model) UnmarshalYAML(n ast.Node) error {
	switch n := n.(type) {
	case *ast.StringNode:
		switch n.Value {
		case "reference":
			*m = Model{Reference: true}
			return nil
		case "opaque":
			*m = Model{}
			return nil
		}
	case *ast.MappingNode:
		*m = Model{}
		if len(n.Values) != 1 || text(n.Values[0].Key) != "spec" {
			return nil
		}
		file, ok := n.Values[0].Value.(*ast.StringNode)
		if !ok || file.Value == "" {
			return Problems{{Path: "model.spec", Line: line(n.Values[0].Key), Text: "want the path of a file"}}
		}
		m.File = file.Value
		return nil
	}
	return Problems{{Path: "model", Line: line(n), Text: "want reference, {spec: FILE}, a spec with input and layers, or opaque"}}
}

// readSpec fills in m.Spec when the document's model section is a spec written
// out.
func (m *Model) readSpec(d *document) error {
	n, ok := d.node("model").(*ast.MappingNode)
	if !ok || m.File != "" {
		return nil
	}
	spec, err := model.ParseSpec(d.name, d.only(n))
	if err != nil {
		return fault.As(fault.Input, err)
	}
	m.Spec = spec
	return nil
}

// readFile replaces a spec file, relative to the folder base, by what is in it.
func (m *Model) readFile(base string) error {
	if m.File == "" {
		return nil
	}
	path := under(base, m.File)
	data, err := readFile(path)
	if err != nil {
		return Problems{{Path: "model.spec", Text: err.Error()}}
	}
	spec, err := model.ParseSpec(path, data)
	if err != nil {
		return fault.As(fault.Input, err)
	}
	*m = Model{Spec: spec}
	return nil
}
