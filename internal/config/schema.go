package config

import (
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	nodeType     = reflect.TypeFor[yaml.NodeUnmarshaler]()
)

// field is one key of a section.
type field struct {
	key string
	typ reflect.Type
}

// fieldsOf lists the keys that the struct type t reads, in order, with those
// of embedded sections in their place.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case key == "-":
		case strings.Contains(options, "inline"):
			fields = append(fields, fieldsOf(f.Type)...)
		default:
			fields = append(fields, field{key: key, typ: f.Type})
		}
	}
	return fields
}

// isSection reports whether values of type t are mappings of known keys.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !readsItself(t)
}

// readsItself reports whether t decodes, and checks, its own node.
func readsItself(t reflect.Type) bool { return reflect.PointerTo(t).Implements(nodeType) }

// pathsOf lists every key path below the section type t.
func pathsOf(t reflect.Type, prefix string) []string {
	var paths []string
	for _, f := range fieldsOf(t) {
		paths = append(paths, prefix+f.key)
		if isSection(f.typ) {
			paths = append(paths, pathsOf(f.typ, prefix+f.key+".")...)
		}
	}
	return paths
}
