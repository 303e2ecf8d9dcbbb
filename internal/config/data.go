package config

import (
	"path/filepath"
	"strings"
)

// Data names a data set, as dataset.Load takes it.
type Data struct {
	// Dataset is "digits" (generated), "mnist" (IDX files in Dir), "idx:DIR",
	// "npz:FILE", "safetensors:FILE" or "images:DIR".
	Dataset string `yaml:"dataset"`
	// Dir is the folder that a named set such as mnist lies in.
	Dir string `yaml:"data,omitempty"`
}

// resolve makes the relative paths in d relative to the folder base.
func (d *Data) resolve(base string) {
	d.Dir = under(base, d.Dir)
	if kind, path, ok := strings.Cut(d.Dataset, ":"); ok {
		d.Dataset = kind + ":" + under(base, path)
	}
}

// check notes what is wrong with the section at path.
func (d Data) check(c *checker, path string) {
	kind, file, isFile := strings.Cut(d.Dataset, ":")
	switch kind {
	case "digits", "mnist":
		c.require(!isFile, path+".dataset", "%q takes no path after a colon", kind)
		c.require(kind != "mnist" || d.Dir != "", path+".data", "mnist needs the folder that its files are in")
	case "idx", "npz", "safetensors", "images":
		c.require(file != "", path+".dataset", "want %s:PATH", kind)
	default:
		c.require(false, path+".dataset", "%q is not known; want digits, mnist, idx:DIR, npz:FILE, safetensors:FILE or images:DIR", d.Dataset)
	}
}

// under returns path, taken from base when it is relative; "" stays "".
func under(base, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}
