package quote

import (
	"fmt"
	"io"
	"strings"
)

// Raw is a text of ours, or one that was quoted: Printf writes it as it is, with
// its line breaks and colours.
type Raw string

// Sprintf is fmt.Sprintf, but quotes what each argument is formatted to, unless
// it is Raw. The format itself is ours. A slice that is passed as args... is
// overwritten, so that go vet sees a wrapper of fmt.Sprintf and checks its calls.
func Sprintf(format string, args ...any) Raw {
	wrap(args)
	return Raw(fmt.Sprintf(format, args...))
}

// Fprintf writes what Sprintf returns.
func Fprintf(w io.Writer, format string, args ...any) error {
	wrap(args)
	_, err := fmt.Fprintf(w, format, args...)
	return err
}

// Fprintln writes one line.
func Fprintln(w io.Writer, text string) error { return Fprintf(w, "%s\n", text) }

// wrap replaces what a text can come from.
func wrap(args []any) {
	for i, arg := range args {
		switch arg.(type) {
		case Raw, foreign, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		default:
			args[i] = foreign{arg}
		}
	}
}

// foreign is an argument whose text may be another party's.
type foreign struct{ value any }

// Format implements fmt.Formatter.
func (f foreign) Format(s fmt.State, verb rune) {
	// A state that cannot be written to reports it to Fprintf's caller.
	_, _ = io.WriteString(s, Text(fmt.Sprintf(fmt.FormatString(s, verb), f.value)))
}

// Builder puts together a text of several lines. The zero value is empty.
type Builder struct{ text strings.Builder }

// Printf appends what Sprintf returns.
func (b *Builder) Printf(format string, args ...any) {
	b.text.WriteString(string(Sprintf(format, args...)))
}

// Raw returns the text.
func (b *Builder) Raw() Raw { return Raw(b.text.String()) }
