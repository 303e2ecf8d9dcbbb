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
	// Dir is the folder that a named set such as mnist lies in, and that a
	// relative path in Dataset is taken from.
	Dir string `yaml:"data,omitempty"`
}

// resolve makes relative paths relative to the folder base.
func (d *Data) resolve(base string) {
	d.Dir = under(base, d.Dir)
	if strings.Contains(d.Dataset, ":") && d.Dir == "" {
		d.Dir = base
	}
}

// Validate reports, as Problems, every field that makes no sense.
func (d Data) Validate() error {
	var c checker
	d.check(&c, "")
	return c.err()
}

// check notes what is wrong with the section that prefix leads to.
func (d Data) check(c *checker, prefix string) {
	kind, file, hasFile := strings.Cut(d.Dataset, ":")
	switch kind {
	case "digits", "mnist":
		c.require(!hasFile, prefix+"dataset", "%s takes nothing after a colon", kind)
		c.require(kind != "digits" || d.Dir == "", prefix+"data", "digits are drawn on the spot and lie in no folder")
		c.require(kind != "mnist" || d.Dir != "", prefix+"data", "mnist needs the folder that its files are in; `accord data fetch mnist --out FOLDER` gets them")
	case "idx", "npz", "safetensors", "images":
		c.require(file != "" || d.Dir != "", prefix+"dataset", "want %s:PATH", kind)
	default:
		c.require(false, prefix+"dataset", "%q is not known; want digits, mnist, idx:DIR, npz:FILE, safetensors:FILE or images:DIR", d.Dataset)
	}
}

// under returns path, taken from base when it is relative; "" stays "".
func under(base, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}
