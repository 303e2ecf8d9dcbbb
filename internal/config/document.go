package config

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/yamltree"
)

// document is a parsed YAML file, and where its keys are.
type document struct {
	name   string
	source []byte
	body   ast.Node       // nil for an empty file
	lines  map[string]int // key path → line
}

// parse reads the YAML in data; name is what errors call it.
func parse(name string, data []byte) (*document, error) {
	d := &document{name: name, source: data, lines: map[string]int{}}
	file, err := yamltree.Parse(data)
	if err != nil {
		return nil, Problems{d.translate(err)}
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if d.body != nil {
			return nil, Problems{{File: name, Line: line(doc.Body), Text: "a second document starts here; one file is one document"}}
		}
		d.body = doc.Body
	}
	return d, nil
}

// decode checks the document against the struct that out points to, and fills
// it in. Keys that are absent or empty leave out as it was.
func (d *document) decode(out any) error {
	if d.body == nil {
		return nil
	}
	t := reflect.TypeOf(out).Elem()
	c := treeChecker{doc: d, known: pathsOf(t, "")}
	c.check(d.body, t, "")
	if err := d.locate(c.err()); err != nil {
		return err
	}
	if err := yaml.NodeToValue(d.body, out, yaml.Strict()); err != nil {
		return d.locate(asProblems(err, d))
	}
	return nil
}

// asProblems passes Problems on and translates the decoder's errors.
func asProblems(err error, d *document) error {
	var problems Problems
	if errors.As(err, &problems) {
		return problems
	}
	return Problems{d.translate(err)}
}

// translate turns an error of the YAML library into a problem of this file.
func (d *document) translate(err error) Problem {
	p := Problem{File: d.name, Text: err.Error()}
	var unparsed *yamltree.Error
	var located yaml.Error
	switch {
	case errors.As(err, &unparsed):
		p.Line, p.Text = unparsed.Line, unparsed.Message
	case errors.As(err, &located):
		p.Text = located.GetMessage()
		if t := located.GetToken(); t != nil {
			p.Line = t.Position.Line
		}
	}
	return p
}

// node returns the value at path, or nil.
func (d *document) node(path string) ast.Node {
	if d.body == nil {
		return nil
	}
	p, err := yaml.PathString("$." + path)
	if err != nil {
		panic("config: " + err.Error()) // path is a constant
	}
	n, err := p.FilterNode(d.body)
	if err != nil {
		return nil // not there
	}
	return n
}

// only returns the source with all but the mapping n, a value of the topmost
// section, replaced by empty lines and spaces: a document of its own in which
// lines count as in the whole.
func (d *document) only(n *ast.MappingNode) []byte {
	lines := strings.SplitAfter(string(d.source), "\n")
	first, end := line(n), len(lines)
	if n.IsFlowStyle {
		end = n.End.Position.Line
		lines[end-1] = string([]rune(lines[end-1])[:n.End.Position.Column])
		lines[first-1] = strings.Repeat(" ", n.Start.Position.Column-1) + string([]rune(lines[first-1])[n.Start.Position.Column-1:])
	} else {
		first = line(n.Values[0].Key)
		for _, sibling := range d.body.(*ast.MappingNode).Values {
			if at := line(sibling.Key); at > first {
				end = at - 1
				break
			}
		}
	}
	return []byte(strings.Repeat("\n", first-1) + strings.Join(lines[first-1:end], ""))
}

// locate adds file and line to problems that name only a path, and sorts them
// as they stand in the file. A key that is absent gets its section's line.
func (d *document) locate(err error) error {
	var problems Problems
	if !errors.As(err, &problems) {
		return err
	}
	for i := range problems {
		p := &problems[i]
		if p.File == "" {
			p.File = d.name
		}
		for path := p.Path; p.Line == 0 && path != ""; path, _ = splitPath(path) {
			p.Line = d.lines[path]
		}
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return problems
}

// settings is a configuration file with no parts that depend on others.
type settings interface {
	// resolve makes relative paths relative to the folder base.
	resolve(base string) error
	Validate() error
}

// load fills in out, which holds the defaults, from the file at path.
func load(path string, out settings) error {
	data, err := readFile(path)
	if err != nil {
		return err
	}
	doc, err := parse(path, data)
	if err != nil {
		return err
	}
	if err := doc.decode(out); err != nil {
		return err
	}
	if err := out.resolve(filepath.Dir(path)); err != nil {
		return doc.locate(err)
	}
	return doc.locate(out.Validate())
}

// readFile reads a configuration file of a sensible size.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault.As(fault.Input, err)
	}
	if !info.Mode().IsRegular() || info.Size() > yamltree.MaxBytes {
		return nil, fault.Inputf("%s: want a file of at most %d bytes", path, yamltree.MaxBytes)
	}
	data, err := os.ReadFile(path)
	return data, fault.As(fault.Input, err)
}
