package quote

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Encode writes v as one line of JSON.
func Encode(w io.Writer, v any) error {
	data, err := JSON(v, "")
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, string(data)+"\n")
	return err
}

// JSON returns v as JSON that can be shown: what is not printable in a text is
// written as \uXXXX, which JSON reads back. With an indent each element has a
// line of its own.
func JSON(v any, indent string) (Raw, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return "", fmt.Errorf("write JSON: %w", err)
	}
	return Raw(Escaped(bytes.TrimSuffix(b.Bytes(), []byte("\n")))), nil
}

// Escaped returns JSON text with \uXXXX in the place of characters beyond
// ASCII that are not printable, and of DEL. Those below are escaped in valid
// JSON already, but for its own line breaks, which stay. It returns data itself
// when there is nothing to do.
func Escaped(data []byte) []byte {
	plain := true
	for _, c := range data {
		plain = plain && c < 0x7f
	}
	if plain {
		return data
	}
	var b []byte
	marks := 0
	for rest := string(data); rest != ""; {
		if c := rest[0]; c < 0x7f {
			b, rest, marks = append(b, c), rest[1:], 0
			if c == '"' {
				marks = maxMarks // a text begins
			}
			continue
		}
		piece, shown, now := next(rest, marks)
		if piece == shown {
			b = append(b, piece...)
		} else {
			b = appendUnits(b, piece)
		}
		rest, marks = rest[len(piece):], now
	}
	return b
}

// appendUnits writes a character as JSON does, in units of UTF-16. A byte that
// is not UTF-8 becomes U+FFFD, as everywhere in JSON.
func appendUnits(b []byte, piece string) []byte {
	r, _ := utf8.DecodeRuneInString(piece)
	for _, unit := range utf16.Encode([]rune{r}) {
		digits := strconv.FormatUint(uint64(unit)|0x10000, 16)
		b = append(append(b, `\u`...), digits[1:]...)
	}
	return b
}
