// Package quote keeps texts of other parties from being taken for something
// else where they are shown.
//
// A name, a reason or a message that came over the network or in a file may
// hold escape sequences that redraw a terminal, line breaks that forge a row
// of a table, controls that reverse the direction of writing, and characters
// that nobody sees. Check refuses such texts where they come in, if they are
// identifiers; Text makes any text one line that can be shown. Printf and its
// relatives do so with everything that they format, and Raw marks what is
// ours. Markdown and Encode know the syntax of what they write.
package quote

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/accord-fl/accord/internal/fault"
)

// The bounds of what is shown.
const (
	// MaxText bounds, in bytes, what Text returns. An error may name two paths of
	// the longest kind before it says what is wrong.
	MaxText = 16 << 10
	// maxMarks is how many combining marks a character may carry; more of them
	// are drawn over the lines above and below.
	maxMarks = 4
)

const ellipsis = "…"

// Text returns s as one line that can be shown: unchanged when it is at most
// MaxText bytes of printable characters and spaces, else with escapes as in Go
// (\n, \x1b, \u202e) in the place of the others, and cut with an ellipsis. It
// is meant to be seen, not to be read back. Text(Text(s)) is Text(s).
func Text(s string) string { return Cut(s, MaxText) }

// Cut is Text with another bound, in bytes of the result; at least that of
// the ellipsis, 3.
func Cut(s string, most int) string {
	if len(s) <= most && Printable(s) {
		return s
	}
	most = max(most, len(ellipsis))
	var b strings.Builder
	fits := 0 // bytes of b before which the ellipsis may stand
	marks := maxMarks
	for rest := s; rest != ""; {
		piece, shown, now := next(rest, marks)
		rest, marks = rest[len(piece):], now
		if b.Len()+len(shown) > most {
			return b.String()[:fits] + ellipsis
		}
		b.WriteString(shown)
		if b.Len()+len(ellipsis) <= most {
			fits = b.Len()
		}
	}
	return b.String()
}

// Printable reports whether s is one line of characters that can be seen, as
// Text returns it when it is not too long.
func Printable(s string) bool {
	marks := maxMarks
	for s != "" {
		piece, shown, now := next(s, marks)
		if piece != shown {
			return false
		}
		s, marks = s[len(piece):], now
	}
	return true
}

// next takes the first character off s and says how it is shown. marks counts
// the combining marks on the character before; at the start of a text they
// would join what is shown before it.
func next(s string, marks int) (piece, shown string, now int) {
	r, size := utf8.DecodeRuneInString(s)
	piece = s[:size]
	switch {
	case r == utf8.RuneError && size == 1, !unicode.IsGraphic(r), hidden(r):
		return piece, escape(piece), 0
	case !unicode.Is(unicode.M, r):
		return piece, piece, 0
	case marks < maxMarks:
		return piece, piece, marks + 1
	default:
		return piece, escape(piece), maxMarks
	}
}

// escape writes a character as Go does.
func escape(piece string) string {
	quoted := strconv.QuoteToASCII(piece)
	return quoted[1 : len(quoted)-1]
}

// hidden reports whether Unicode wants r to be ignored where it is shown: joiners,
// fillers and selectors that take no room.
func hidden(r rune) bool {
	return unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || unicode.Is(unicode.Variation_Selector, r)
}

// Check refuses, by an error of class fault.Input that names what it is, a
// text of one line that holds what it has no use for: invalid UTF-8, control
// characters, line and paragraph separators, and format characters and others
// that are not seen, such as those that change the direction of writing.
// Letters, signs and spaces of all scripts pass, unknown ones too.
func Check(what, s string) error {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") ||
			unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || hidden(r) {
			return fault.Inputf("%s %s holds a control, direction or invisible character, which is not allowed", what, Text(fmt.Sprintf("%.80q", s)))
		}
	}
	return nil
}
