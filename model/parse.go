package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/accord-fl/accord/internal/fault"
)

// Limits on a spec's text before it is parsed: the YAML parser's time grows with
// the square of both. MaxLayers layers in canonical form fit.
const (
	maxSpecBytes = 1 << 16
	maxBrackets  = 32 // open at once
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
	parsed, err := parseSpec(data)
	if err != nil {
		return fmt.Errorf("model spec: %w", err)
	}
	*s = *parsed
	return nil
}

func parseSpec(data []byte) (*Spec, error) {
	if len(data) > maxSpecBytes {
		return nil, fault.Inputf("a spec of %d bytes is above the limit of %d", len(data), maxSpecBytes)
	}
	if line := tooDeep(data); line > 0 {
		return nil, &SpecError{Line: line, Message: fmt.Sprintf("more than %d brackets are open", maxBrackets)}
	}
	file, err := parser.ParseBytes(withoutTabs(data), 0)
	if err != nil {
		return nil, syntaxError(err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, fault.Inputf("want one document with the keys input and layers")
	}
	s, err := decodeSpec(file.Docs[0].Body)
	if err != nil {
		return nil, err
	}
	return s, s.Validate()
}

// tooDeep returns the line where too many brackets are open, or 0. It counts
// those in comments and strings too, where a spec has no use for them.
func tooDeep(data []byte) int {
	line, open := 1, 0
	for _, c := range data {
		switch c {
		case '\n':
			line++
		case '[', '{':
			if open++; open > maxBrackets {
				return line
			}
		case ']', '}':
			open--
		}
	}
	return 0
}

// withoutTabs replaces the tabs of indented JSON, which YAML forbids, by spaces.
// Inside a JSON string a tab is written \t, so every raw one is white space.
func withoutTabs(data []byte) []byte {
	if !bytes.ContainsRune(data, '\t') || !json.Valid(data) {
		return data
	}
	return bytes.ReplaceAll(data, []byte{'\t'}, []byte{' '})
}

// syntaxError turns an error of the YAML parser into one of ours.
func syntaxError(err error) error {
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil {
		return &SpecError{Line: y.GetToken().Position.Line, Message: y.GetMessage()}
	}
	return fault.As(fault.Input, err)
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil {
		return t.Position.Line
	}
	return 1
}
