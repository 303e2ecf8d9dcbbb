package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/goccy/go-yaml/ast"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/yamltree"
)

// SpecError is a mistake in a spec's text.
type SpecError struct {
	Line    int // from 1
	Message string
}

func (e *SpecError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// Unwrap puts the error into class fault.Input.
func (e *SpecError) Unwrap() error { return fault.Input }

// ParseSpec reads a spec from YAML or JSON, which it reads as YAML, and
// validates it. Errors begin with name, which stands for the file, and the line.
// Unknown and repeated keys are errors; anchors and tags are not supported.
func ParseSpec(name string, data []byte) (*Spec, error) {
	s, err := parseSpec(data)
	var at *SpecError
	if errors.As(err, &at) {
		return nil, fault.Inputf("%s:%d: %s", name, at.Line, at.Message)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// UnmarshalJSON reads a spec as ParseSpec does.
func (s *Spec) UnmarshalJSON(data []byte) error {
	if last := lastRead.Load(); last != nil && last.document == string(data) {
		*s = last.spec
		return nil
	}
	parsed, err := parseSpec(data)
	if err != nil {
		return fmt.Errorf("model spec: %w", err)
	}
	*s = *parsed
	lastRead.Store(&readSpec{string(data), *parsed})
	return nil
}

// lastRead is the spec that UnmarshalJSON has read last: all tasks of a run bring
// the same one. Nobody changes a spec.
var lastRead atomic.Pointer[readSpec]

type readSpec struct {
	document string
	spec     Spec
}

func parseSpec(data []byte) (*Spec, error) {
	file, err := yamltree.Parse(withoutTabs(data))
	var at *yamltree.Error
	if errors.As(err, &at) && at.Line > 0 {
		return nil, &SpecError{Line: at.Line, Message: at.Message}
	}
	if err != nil {
		return nil, fmt.Errorf("spec: %w", err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, fault.Inputf("want one document with the keys input and layers")
	}
	s, lines, err := decodeSpec(file.Docs[0].Body)
	if err != nil {
		return nil, err
	}
	err = s.Validate()
	var in *layerError
	if errors.As(err, &in) {
		return nil, &SpecError{Line: lines[in.number-1], Message: in.Error()}
	}
	return s, err
}

// withoutTabs replaces the tabs of indented JSON, which YAML forbids, by spaces.
// Inside a JSON string a tab is written \t, so every raw one is white space.
func withoutTabs(data []byte) []byte {
	if !bytes.ContainsRune(data, '\t') || !json.Valid(data) {
		return data
	}
	return bytes.ReplaceAll(data, []byte{'\t'}, []byte{' '})
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil {
		return t.Position.Line
	}
	return 1
}
