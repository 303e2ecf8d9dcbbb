package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// unquoted are the functions that write a text as it is; what they are replaced by.
var unquoted = map[string]string{
	"fmt.Fprint": "quote.Fprintf", "fmt.Fprintf": "quote.Fprintf", "fmt.Fprintln": "quote.Fprintln",
	"fmt.Print": "quote.Fprintf", "fmt.Printf": "quote.Fprintf", "fmt.Println": "quote.Fprintln",
	"io.WriteString": "quote.Fprintf", "json.NewEncoder": "quote.Encode", "json.MarshalIndent": "quote.JSON",
	"cmd.Print": "quote.Fprintf", "cmd.Printf": "quote.Fprintf", "cmd.Println": "quote.Fprintln",
	"cmd.PrintErr": "quote.Fprintf", "cmd.PrintErrf": "quote.Fprintf", "cmd.PrintErrln": "quote.Fprintln",
}

// Whatever the commands print goes through package quote, or a table or a display
// of package term: a verb that comes later cannot forget it.
func TestOutputIsQuoted(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if of, ok := s.X.(*ast.Ident); ok {
				if instead, bad := unquoted[of.Name+"."+s.Sel.Name]; bad {
					t.Errorf("%s: %s.%s writes other parties' texts as they are; use %s", set.Position(s.Pos()), of.Name, s.Sel.Name, instead)
				}
			}
			return true
		})
	}
}
