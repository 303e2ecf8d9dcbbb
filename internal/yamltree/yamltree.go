// Package yamltree parses YAML that anybody may have written, in bounded time.
// The parser behind it takes time that grows with the square of the text's
// length and of its depth, so both are bounded before it sees a byte.
package yamltree

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/accord-fl/accord/internal/fault"
)

// MaxBytes bounds a text.
const MaxBytes = 1 << 16

// maxOpen bounds the brackets that are open at once, and the marks of lists and
// keys that begin one line.
const maxOpen = 32

// Error is a mistake in a text. It is of class fault.Input.
type Error struct {
	Line    int // from 1; 0 when not known
	Message string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Message)
}

// Unwrap puts the error into class fault.Input.
func (e *Error) Unwrap() error { return fault.Input }

// Parse returns the documents in data, which have neither anchors nor aliases. Errors
// are of type *Error.
func Parse(data []byte) (*ast.File, error) {
	if len(data) > MaxBytes {
		return nil, &Error{Message: fmt.Sprintf("%d bytes are above the limit of %d", len(data), MaxBytes)}
	}
	if err := checkDepth(data); err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(data, 0)
	var located yaml.Error
	switch {
	case errors.As(err, &located) && located.GetToken() != nil:
		return nil, &Error{Line: located.GetToken().Position.Line, Message: located.GetMessage()}
	case err != nil:
		return nil, &Error{Message: err.Error()}
	}
	for _, doc := range file.Docs {
		var r references
		if ast.Walk(&r, doc); r.first != nil {
			return nil, &Error{Line: r.first.GetToken().Position.Line, Message: fmt.Sprintf("%.80s: anchors and aliases are not supported; write the value itself", r.name)}
		}
	}
	return file, nil
}

// references finds the first anchor, alias or merge key: with them a short text can
// stand for a huge one.
type references struct {
	first ast.Node
	name  string
}

func (r *references) Visit(n ast.Node) ast.Visitor {
	if r.first != nil {
		return nil
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		r.first, r.name = n, "&"+n.Name.String()
	case *ast.AliasNode:
		r.first, r.name = n, "*"+n.Value.String()
	case *ast.MergeKeyNode:
		r.first, r.name = n, "<<"
	}
	return r
}

// checkDepth refuses text that is nested too deeply. It counts brackets and
// marks in comments and strings too, where there is no use for so many.
func checkDepth(data []byte) error {
	line, open, marks := 1, 0, 0
	begins := true // nothing but marks and space on this line so far
	for _, c := range data {
		switch c {
		case '\n', '\r':
			if c == '\n' {
				line++
			}
			begins, marks = true, 0
		case ' ', '\t':
		case '-', '?':
			if begins {
				marks++
			}
		case '[', '{':
			begins = false
			open++
		case ']', '}':
			begins = false
			open--
		default:
			begins = false
		}
		if open > maxOpen {
			return &Error{Line: line, Message: fmt.Sprintf("more than %d brackets are open", maxOpen)}
		}
		if marks > maxOpen {
			return &Error{Line: line, Message: fmt.Sprintf("more than %d lists begin on one line", maxOpen)}
		}
	}
	return nil
}
