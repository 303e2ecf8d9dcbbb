package quote

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/accord-fl/accord/internal/fault"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"plain", "conv2d_1/kernel:0", "conv2d_1/kernel:0"},
		{"other scripts and spaces", "Μοντέλο 模型\u3000نموذج é", "Μοντέλο 模型\u3000نموذج é"},
		{"an escape sequence", "a\x1b[2Jb", `a\x1b[2Jb`},
		{"line breaks", "a\nb\r\tc\u2028d\u2029e\u0085f", `a\nb\r\tc\u2028d\u2029e\u0085f`},
		{"C1 and DEL", "a\u009b31mb\x7f", `a\u009b31mb\x7f`},
		{"direction", "a\u202eb\u2066c\u200fd\u061c", `a\u202eb\u2066c\u200fd\u061c`},
		{"zero width", "a\u200bb\u200dc\ufeffd\u3164e\ufe0ff\U000e0041", `a\u200bb\u200dc\ufeffd\u3164e\ufe0ff\U000e0041`},
		{"not UTF-8", "a\xffb\xc2", `a\xffb\xc2`},
		{"the replacement character", "a\uFFFDb", "a\uFFFDb"},
		{"a mark alone", "\u0301a\u0301", `\u0301a` + "\u0301"},
		{"marks upon marks", "a" + strings.Repeat("\u0301", 6) + "b", "a" + strings.Repeat("\u0301", 4) + `\u0301\u0301b`},
		{"a path of Windows", `C:\new`, `C:\new`},
		{"too long", strings.Repeat("é", MaxText), strings.Repeat("é", (MaxText-len(ellipsis))/2) + "…"},
	} {
		if got := Text(c.text); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if got, want := Cut("abc\x1bdef", 8), `abc…`; got != want {
		t.Errorf("cut: got %q, want %q", got, want)
	}
}

func TestCheck(t *testing.T) {
	for _, good := range []string{"", "conv 1", "Μοντέλο 模型 نموذج é", `a"b\c`, "\uFFFD", "\U0003fffd"} {
		if err := Check("name", good); err != nil {
			t.Errorf("%q was refused: %v", good, err)
		}
	}
	for _, bad := range []string{"a\x1b[2J", "a\n", "a\tb", "\u009b", "\x7f", "\u202e", "\u2066", "\u200b", "\u2028", "\u3164", "\ufeff", "\xff"} {
		err := Check("tensor name", bad)
		if !errors.Is(err, fault.Input) || !strings.HasPrefix(err.Error(), "tensor name ") || !Printable(err.Error()) {
			t.Errorf("%q: got %v, want bad input, quoted", bad, err)
		}
	}
}

func TestPrintfQuotesWhatIsFormatted(t *testing.T) {
	for _, c := range []struct {
		got  Raw
		want string
	}{
		{Sprintf("%s:\n%d", "a\nb", 7), `a\nb` + ":\n7"},
		{Sprintf("%-5s|%5.2s|", "\x1b", "abc"), `\x1b    |   ab|`},
		{Sprintf("%*d", 4, 7), "   7"},
		{Sprintf("%v %v", errors.New("a\rb"), []string{"\u202e"}), `a\rb [\u202e]`},
		{Sprintf("%q", "\u3164"), `"\u3164"`},
		{Sprintf("%s|%v", Raw("\x1b[1mours\n"), nil), "\x1b[1mours\n|<nil>"},
	} {
		if string(c.got) != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestLinesEndWhereErrorsWereJoined(t *testing.T) {
	hostile := errors.New("peer says\naccord: all is well\x1b[2J")
	for _, c := range []struct {
		name string
		err  error
		want []string
	}{
		{"one", hostile, []string{`peer says\naccord: all is well\x1b[2J`}},
		{"joined", errors.Join(hostile, errors.New("second")), []string{`peer says\naccord: all is well\x1b[2J`, "second"}},
		{"joined and wrapped", fault.Inputf("a\n: %w (%s)", errors.Join(errors.New("first"), hostile), "b\n"),
			[]string{`a\n: first`, `peer says\naccord: all is well\x1b[2J (b\n)`}},
		{"wrapped and joined", errors.Join(fault.As(fault.Unavailable, hostile), errors.New("hint")), []string{`peer says\naccord: all is well\x1b[2J`, "hint"}},
	} {
		if got := Lines(c.err); strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestJSON(t *testing.T) {
	got, err := JSON(map[string]string{"a\u202e": "é\u009b\x1b\x7f\U000e0041"}, "")
	if want := `{"a\u202e":"é\u009b\u001b\u007f\udb40\udc41"}`; err != nil || string(got) != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
	var b strings.Builder
	if err := Encode(&b, []string{"<\u0301"}); err != nil || b.String() != "[\"\\u003c\u0301\"]\n" {
		t.Errorf("got %q (%v)", b.String(), err)
	}
	if _, err := JSON(func() {}, ""); err == nil {
		t.Error("a function was written")
	}
}

func TestMarkdown(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"seven, or 7", "seven, or 7"},
		{"a|b", `a\|b`},
		{"inverse_sqrt __x_", `inverse_sqrt \_\_x\_`},
		{"`a` *b* _c_ <d> [e](f) ~g~ $h$ &amp; \\", "\\`a\\` \\*b\\* \\_c\\_ \\<d\\> \\[e\\](f) \\~g\\~ \\$h\\$ \\&amp; \\\\"},
		{"# a", `\# a`}, {"- a - b", `\- a - b`}, {"1. a", `1\. a`}, {"1) a", `1\) a`}, {"1.5 a", "1.5 a"}, {"= 1.5", `\= 1.5`},
		{" a\nb", `a\\nb`},
		{"http://x.example", "`http://x.example`"}, {"WWW.x.example", "`WWW.x.example`"}, {"a@b.example", "`a@b.example`"},
		{"a@b|``c\\|d`", "`a@b`\\|``` ``c\\ ```\\|`` d` ``"},
	} {
		if got := Markdown(c.text); got != c.want {
			t.Errorf("%q: got %s, want %s", c.text, got, c.want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"plain", "a\x1b[2J\n", "\u202e\u0301\xff", strings.Repeat("\u0301é", 50)} {
		f.Add(seed, 64)
	}
	f.Fuzz(func(t *testing.T, s string, most int) {
		if most < len(ellipsis) || most > 1<<12 {
			return
		}
		got := Cut(s, most)
		if !Printable(got) || !utf8.ValidString(got) || len(got) > most {
			t.Errorf("%q became %q, at most %d bytes", s, got, most)
		}
		if again := Cut(got, most); again != got {
			t.Errorf("%q became %q, and then %q", s, got, again)
		}
		if Printable(s) && len(s) <= most && got != s {
			t.Errorf("%q became %q", s, got)
		}
		if Printable(s) && Check("text", s) != nil {
			t.Errorf("%q can be shown and was refused", s)
		}
	})
}

// FuzzMarkdown: the result is one line in which all that means something is
// escaped or inside code.
func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{"plain", "a|b`c", "<a@b>``|\\|`", "# \n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Markdown(s)
		if !Printable(got) {
			t.Fatalf("%q became %q", s, got)
		}
		escaped := false
		for _, c := range got {
			if c == '|' && !escaped {
				t.Errorf("%q became %q: a bar ends the cell", s, got)
			}
			escaped = c == '\\' && !escaped
		}
	})
}

// FuzzJSON: what is written can be shown and reads back as the same text.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{"plain", "\u202e\x1b\n\u009b", "\u0301\u0301\U000e0041<"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		data, err := JSON([]string{s}, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range string(data) {
			if !unicode.IsGraphic(r) || hidden(r) {
				t.Errorf("%q became %q", s, data)
			}
		}
		var got []string
		if err := json.Unmarshal([]byte(data), &got); err != nil || got[0] != strings.ToValidUTF8(s, "\uFFFD") && utf8.ValidString(s) {
			t.Errorf("%q came back as %q (%v)", s, got, err)
		}
	})
}

// FuzzLines: each line of an error can be shown.
func FuzzLines(f *testing.F) {
	f.Add("a\nb", "c\x1b", "d")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		err := fault.Inputf("%s: %w%s", a, errors.Join(errors.New(b), fmt.Errorf("%s %w", c, errors.New(a))), c)
		lines := Lines(err)
		if len(lines) > 2 {
			t.Errorf("two errors became %q", lines)
		}
		for _, line := range lines {
			if !Printable(line) {
				t.Errorf("%q holds what cannot be shown", line)
			}
		}
	})
}
