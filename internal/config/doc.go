// Package config reads the YAML files that drive Accord: a run, a
// coordinator, a participant.
//
// One strict schema each. An unknown key, a value of the wrong type or a
// value that makes no sense is an error of class fault.Input which names the
// file, the line and the key; every such error in a file is reported, and
// nothing is clamped or guessed. Durations carry a unit. Relative paths in a
// file are relative to that file.
package config
