package program

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/accord-fl/accord/internal/quote"
)

// tail keeps the last bytes written to it.
type tail struct{ buf []byte }

const tailSize = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	if t.buf = append(t.buf, p...); len(t.buf) > 2*tailSize {
		t.buf = append(t.buf[:0], t.Bytes()...)
	}
	return len(p), nil
}

// Bytes returns what is kept, valid until the next Write.
func (t *tail) Bytes() []byte { return t.buf[max(0, len(t.buf)-tailSize):] }

// lastWords quotes the end of what the program wrote, for an error message.
func lastWords(stdout, stderr *tail) string {
	text := bytes.TrimSpace(stderr.Bytes())
	if len(text) == 0 {
		text = bytes.TrimSpace(stdout.Bytes())
	}
	if len(text) == 0 {
		return ""
	}
	lines := strings.Split(string(text), "\n")
	lines = lines[max(0, len(lines)-5):]
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	words := strings.Join(lines, " | ")
	const most = 600 // bytes, before they are quoted
	if cut := len(words) - most; cut > 0 {
		for ; cut < len(words) && !utf8.RuneStart(words[cut]); cut++ {
		}
		words = "…" + words[cut:]
	}
	return ": " + quote.Text(words)
}
