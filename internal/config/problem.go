package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	File string // "" when the value came from elsewhere, such as a flag
	Line int    // from 1; 0 when not known
	Path string // of the key, such as "local.lr"; "" for the file as a whole
	Text string
}

// String gives "file:line: path: text", without the parts that are not known.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Problems is the error for a configuration that is wrong: at least one
// problem, in the order of the file. It is of class fault.Input.
type Problems []Problem

func (p Problems) Error() string { return errors.Join(p.Unwrap()...).Error() }

// Unwrap returns an error for each line of the message, which quotes what a
// configuration holds.
func (p Problems) Unwrap() []error {
	var lines []error
	for i, problem := range p {
		if i == maxShown {
			lines = append(lines, fmt.Errorf("and %d more", len(p)-i))
			break
		}
		lines = append(lines, errors.New(quote.Text(problem.String())))
	}
	return lines
}

// Is puts the error into class fault.Input.
func (p Problems) Is(target error) bool { return target == fault.Input }

// What the message of an error may hold at most: it may go to a peer, which may
// have sent the configuration.
const (
	maxShown = 20  // problems
	maxText  = 300 // bytes of one
)

// checker collects problems.
type checker struct{ problems Problems }

// require notes a problem with the key at path unless ok holds.
func (c *checker) require(ok bool, path, format string, args ...any) {
	if !ok {
		c.problems = append(c.problems, Problem{Path: shorten(path), Text: shorten(fmt.Sprintf(format, args...))})
	}
}

// err returns what was noted, or nil.
func (c *checker) err() error {
	if len(c.problems) == 0 {
		return nil
	}
	return c.problems
}

// shorten cuts text that quotes too much.
func shorten(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + " …"
}
