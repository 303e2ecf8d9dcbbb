package program

import (
	"strings"
	"testing"
)

// What a program wrote last is one line of an error, whatever it is.
func TestLastWordsAreQuoted(t *testing.T) {
	for _, c := range []struct{ stdout, stderr, want string }{
		{"", " \n", ""},
		{"a\nb\n", "", ": a | b"},
		{"out", "1\n2\n3\n4\n5\n6", ": 2 | 3 | 4 | 5 | 6"},
		{"", "a\x1b[2J\r\n\u202eb\xff", `: a\x1b[2J | \u202eb\xff`},
		{"", strings.Repeat("x", 700), ": …" + strings.Repeat("x", 600)},
	} {
		stdout, stderr := &tail{buf: []byte(c.stdout)}, &tail{buf: []byte(c.stderr)}
		if got := lastWords(stdout, stderr); got != c.want {
			t.Errorf("%q, %q: got %q, want %q", c.stdout, c.stderr, got, c.want)
		}
	}
}
