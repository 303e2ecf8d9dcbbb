package quote

import "strings"

// special are the characters that mean something inside a line of Markdown, as
// GitHub reads it.
const special = "\\`*_[]<>&|~$"

// Markdown returns s as one line of Markdown that shows it, in a paragraph or in a
// cell of a table: nothing in it is markup, a link or the end of a cell. A text that
// renderers would turn into a link by themselves is written as code.
func Markdown(s string) string {
	text := Text(strings.TrimSpace(s))
	if linkish(text) {
		return Code(text)
	}
	var b strings.Builder
	for i, r := range text {
		if strings.ContainsRune(special, r) && !inWord(text, i) || begins(text, i) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// inWord reports whether an underscore stands between letters or digits, where it
// marks nothing.
func inWord(text string, i int) bool {
	return text[i] == '_' && i > 0 && i+1 < len(text) && alphanumeric(text[i-1]) && alphanumeric(text[i+1])
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// linkish reports whether renderers make a link of text or of a part of it.
func linkish(text string) bool {
	return strings.Contains(text, "@") || strings.Contains(text, "://") || strings.Contains(strings.ToLower(text), "www.")
}

// begins reports whether the character at i, an ASCII one, makes the line a
// heading, a list or a rule because of where it stands.
func begins(text string, i int) bool {
	switch text[i] {
	case '#', '+', '-', '=':
		return i == 0
	case '.', ')':
		return i > 0 && strings.Trim(text[:i], "0123456789") == "" && (i+1 == len(text) || text[i+1] == ' ')
	default:
		return false
	}
}

// Code returns s as code in a line of Markdown. A cell of a table ends at a bar even
// in code, so bars stand between pieces of code.
func Code(s string) string {
	pieces := strings.Split(Text(s), "|")
	for i, piece := range pieces {
		if piece != "" {
			pieces[i] = span(piece)
		}
	}
	return strings.Join(pieces, `\|`)
}

// span puts a piece between more backticks than it has in a row.
func span(piece string) string {
	fence := "`"
	for strings.Contains(piece, fence) {
		fence += "`"
	}
	if strings.HasPrefix(piece, "`") || strings.HasSuffix(piece, "`") || strings.TrimSpace(piece) != piece {
		piece = " " + piece + " "
	}
	return fence + piece + fence
}
