// Package fault sorts errors into the classes that decide an exit code. An
// error belongs to a class when errors.Is(err, class) holds.
package fault

import (
	"errors"
	"fmt"
)

// The classes. An error in none of them is a failure of Accord itself or of
// the machine.
var (
	// Usage: the command line is wrong.
	Usage = errors.New("usage")
	// Input: a file, a configuration or a peer's message is wrong.
	Input = errors.New("bad input")
	// Exists: something that would be overwritten is already there.
	Exists = errors.New("already exists")
	// Unavailable: a peer cannot be reached or an address cannot be used.
	Unavailable = errors.New("unavailable")
	// Diverged: a training led to numbers that are not finite.
	Diverged = errors.New("diverged")
)

// classed carries a class without repeating its name in the message.
type classed struct {
	class error
	err   error
}

func (c *classed) Error() string   { return c.err.Error() }
func (c *classed) Unwrap() []error { return []error{c.err, c.class} }

// As puts err into class; its message stays as it is. A nil err stays nil.
func As(class, err error) error {
	if err == nil {
		return nil
	}
	return &classed{class: class, err: err}
}

// Inputf formats an error of class Input; %w works as in fmt.Errorf.
func Inputf(format string, args ...any) error { return As(Input, fmt.Errorf(format, args...)) }

// Usagef formats an error of class Usage; %w works as in fmt.Errorf.
func Usagef(format string, args ...any) error { return As(Usage, fmt.Errorf(format, args...)) }
