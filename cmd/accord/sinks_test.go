package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// harmless is what hostile texts are compared with.
const harmless = "harmless"

// hostile are texts that other parties may send, or put into files.
var hostile = map[string]string{
	"clears the screen":    "\x1b[2J\x1b[H",
	"sets the title":       "\x1b]0;x\x07",
	"goes up a line":       "\r\x1b[1Aapproved",
	"a line of its own":    "a\nforged  participant  attending",
	"a line of accord":     "a\naccord: all is well\n",
	"other line breaks":    "a\r\nb\vc\fd\u0085e\u2028f\u2029g",
	"C1 controls and DEL":  "\u009b31m\x7f",
	"another direction":    "\u202egnp.exe\u2066a\u2069\u200f\u061c",
	"characters unseen":    "a\u200b\u200d\ufeff\u00ad\U000e0041",
	"marks upon marks":     "\u0301" + strings.Repeat("a\u0301\u0302\u0303\u0304\u0305\u0306", 20),
	"not UTF-8":            "a\xff\xc2b",
	"a row of Markdown":    "a | b |\n|---|---|\n| c",
	"markup of Markdown":   "**a** _b_ `c` [d](https://e.example) ![f](g.png) ~h~",
	"links by themselves":  "https://a.example www.b.example c@d.example",
	"a heading":            "# a",
	"a fence":              "```\n# a",
	"markup of SVG":        `</text><script>alert(1)</script><image href="x"/>&amp;`,
	"a comment":            "--><!-- a",
	"a string of a format": "%s%d%!x(MISSING)\\x1b",
	"text of JSON":         `","admin":true,"x":"`,
	"a formula":            "=1+1",
	"too long":             strings.Repeat("long ", 5000),
}

// sink is a place where texts of other parties are shown. show puts text where such
// a party can, and returns what is then to be seen, by what it is: a terminal's
// lines, a Markdown page, JSON or SVG.
type sink struct {
	name string
	show func(t *testing.T, text string) map[kind]string
}

// kind is the syntax of what is shown.
type kind string

const (
	terminal kind = "terminal"
	markdown kind = "markdown"
	jsonText kind = "json"
	svg      kind = "svg"
)

// TestSinks feeds each place where texts of other parties are shown with hostile
// ones. None may hold a character that does more than be seen, and each must have
// as many lines, cells and elements as with a harmless text, unless the text was
// refused where it came in.
func TestSinks(t *testing.T) {
	for _, s := range slices.Concat(fileSinks(), peerSinks(t), printers(), others()) {
		t.Run(s.name, func(t *testing.T) {
			want := s.show(t, harmless)
			for k, shown := range want {
				if !strings.Contains(shown, harmless) {
					t.Fatalf("%s does not show the text:\n%s", k, shown)
				}
			}
			for name, text := range hostile {
				got := s.show(t, text)
				for k, shown := range got {
					if k == svg {
						shown = strings.ReplaceAll(shown, "\t", " ") // the canvas indents
					}
					wantPrintable(t, name, shown)
					refused := k == terminal && strings.HasPrefix(shown, "accord: ")
					if a, b := outline(t, k, want[k]), outline(t, k, shown); a != b && !refused {
						t.Errorf("%s: %s is %s, with a harmless text %s:\n%.2000s", name, k, b, a, shown)
					}
					if strings.Contains(shown, "\naccord: all is well") {
						t.Errorf("%s: forged a line:\n%s", name, shown)
					}
				}
			}
		})
	}
}

// wantPrintable finds characters that could do more than be seen.
func wantPrintable(t *testing.T, name, shown string) {
	t.Helper()
	if !utf8.ValidString(shown) {
		t.Errorf("%s: not valid UTF-8: %.300q", name, shown)
	}
	for i, r := range shown {
		if r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point) {
			t.Errorf("%s: %U in %.300q", name, r, shown[max(0, i-100):])
			return
		}
	}
}

// outline says of how many parts a text is.
func outline(t *testing.T, k kind, shown string) string {
	t.Helper()
	switch k {
	case svg:
		return fmt.Sprint(countElements(t, shown), " elements")
	case markdown:
		return fmt.Sprintf("%d lines, %d bars", strings.Count(shown, "\n"), bars(shown))
	case jsonText:
		return fmt.Sprint(countKeys(t, shown), " values")
	default:
		return fmt.Sprint(strings.Count(shown, "\n"), " lines")
	}
}

// bars counts those that separate cells. In the block of code none does.
func bars(page string) int {
	before, rest, _ := strings.Cut(page, "\n```sh\n")
	_, after, _ := strings.Cut(rest, "\n```\n")
	page = before + after
	n, escaped := 0, false
	for _, c := range page {
		if c == '|' && !escaped {
			n++
		}
		escaped = c == '\\' && !escaped
	}
	return n
}

func countElements(t *testing.T, text string) (n int) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := token.(xml.StartElement); ok {
			n++
		}
	}
}

func countKeys(t *testing.T, text string) (n int) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatalf("%v in %.500s", err, text)
		}
		n++
	}
}
