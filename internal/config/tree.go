package config

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// treeChecker holds a document to a schema more strictly than the decoder,
// which would read 1.5 as the whole number 1 and "20" in quotes as 20.
type treeChecker struct {
	checker
	doc   *document
	known []string // every key path of the schema
}

func (c *treeChecker) check(n ast.Node, t reflect.Type, path string) {
	if n.Type() == ast.NullType || readsItself(t) {
		return
	}
	switch {
	case t == durationType:
		_, isString := n.(*ast.StringNode)
		_, err := time.ParseDuration(text(n))
		c.at(n, isString && err == nil, path, "want a duration with its unit, such as 30s or 10m, got %s", text(n))
	case t.Kind() == reflect.Struct:
		c.section(n, t, path)
	case t.Kind() == reflect.Map:
		for _, value := range c.mapping(n, path) {
			c.check(value.Value, t.Elem(), join(path, text(value.Key)))
		}
	case t.Kind() == reflect.Slice:
		list, ok := n.(*ast.SequenceNode)
		if c.at(n, ok, path, "want a list, got %s", kind(n)); ok {
			for i, value := range list.Values {
				c.check(value, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
			}
		}
	default:
		want, ok := scalar(n, t)
		c.at(n, ok, path, "want %s, got %s %s", want, kind(n), text(n))
	}
}

func (c *treeChecker) section(n ast.Node, t reflect.Type, path string) {
	fields := fieldsOf(t)
	for _, value := range c.mapping(n, path) {
		key := text(value.Key)
		keyPath := join(path, key)
		c.doc.lines[keyPath] = line(value.Key)
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
		if i < 0 {
			c.unknown(value.Key, keyPath)
			continue
		}
		c.check(value.Value, fields[i].typ, keyPath)
	}
}

func (c *treeChecker) unknown(key ast.Node, path string) {
	hint := ""
	if near := suggest(path, c.known); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	c.at(key, false, path, "unknown key%s", hint)
}

// mapping returns the entries of n, after noting a problem when it is not a
// plain mapping.
func (c *treeChecker) mapping(n ast.Node, path string) []*ast.MappingValueNode {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		c.at(n, false, path, "want keys with values, got %s %s", kind(n), text(n))
		return nil
	}
	return m.Values
}

// at notes a problem at the line of n unless ok holds.
func (c *treeChecker) at(n ast.Node, ok bool, path, format string, args ...any) {
	before := len(c.problems)
	c.require(ok, path, format, args...)
	if len(c.problems) > before {
		c.problems[before].Line = line(n)
	}
}

// scalar says whether n is a value of the simple type t, and what t wants.
func scalar(n ast.Node, t reflect.Type) (want string, ok bool) {
	switch t.Kind() {
	case reflect.String:
		_, plain := n.(*ast.StringNode)
		_, block := n.(*ast.LiteralNode)
		return "text (in quotes if need be)", plain || block
	case reflect.Bool:
		_, ok = n.(*ast.BoolNode)
		return "true or false", ok
	case reflect.Float64:
		switch n.(type) {
		case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
			ok = true
		case *ast.StringNode:
			ok = isExponential(n)
		}
		return "a number", ok
	case reflect.Uint64:
		i, isInt := n.(*ast.IntegerNode)
		if isInt {
			_, ok = i.Value.(uint64)
		}
		return "a whole number, 0 or more", ok
	case reflect.Int, reflect.Int64:
		i, isInt := n.(*ast.IntegerNode)
		return "a whole number", isInt && fitsInt(i.Value)
	default:
		panic("config: schema uses a type without a rule: " + t.String())
	}
}

// exponential is a number such as 1e-5, which YAML 1.2 knows and the parser
// takes for text unless it has a point.
var exponential = regexp.MustCompile(`^[-+]?[0-9]+[eE][-+]?[0-9]+$`)

// isExponential reports whether n is such a number, and not text in quotes. The
// decoder reads it as the number that it is.
func isExponential(n ast.Node) bool {
	return n.GetToken().Type == token.StringType && exponential.MatchString(text(n))
}

// fitsInt reports whether the value of an integer node fits an int64. (Accord
// runs on 64-bit machines, where int is as wide.)
func fitsInt(v any) bool {
	switch v := v.(type) {
	case int64:
		return true
	case uint64:
		return v <= math.MaxInt64
	default:
		return false
	}
}

// line is the line that n starts on, from 1.
func line(n ast.Node) int { return n.GetToken().Position.Line }

// text is a scalar as it was written.
func text(n ast.Node) string { return n.GetToken().Value }

// kind names what n is, for people.
func kind(n ast.Node) string {
	switch n.Type() {
	case ast.MappingType:
		return "keys with values"
	case ast.SequenceType:
		return "a list"
	case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		return "the number"
	case ast.BoolType:
		return "the truth value"
	case ast.StringType, ast.LiteralType:
		return "the text"
	default:
		return "a YAML " + n.Type().YAMLName()
	}
}

// join appends key to the path of its section.
func join(section, key string) string {
	if section == "" {
		return key
	}
	return section + "." + key
}
