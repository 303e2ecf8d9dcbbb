package term

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

// What other parties call things is a part of one line in every display, and no
// command to the terminal.
func TestTextsAreQuoted(t *testing.T) {
	const hostile = "a\x1b[2J\x1b]0;t\x07\nforged \u202e\u009b31m\r"
	const quoted = `a\x1b[2J\x1b]0;t\a\nforged \u202e\u009b31m\r`
	shown := look{terminal: true, live: true, unicode: true, width: 400, height: 50}
	table := Table{Title: hostile, Columns: []Column{{Title: hostile}, {Title: "b"}}, Rows: []Row{{Cells: []string{hostile, hostile}, Strong: true}}}
	for name, show := range map[string]func(b *buffer){
		"a table": func(b *buffer) {
			if err := table.Print(b); err != nil {
				t.Error(err)
			}
		},
		"a board": func(b *buffer) {
			if err := (&Board{w: b, look: shown}).Show(table); err != nil {
				t.Error(err)
			}
		},
		"a live display": func(b *buffer) {
			p := newProgress(b, Options{Title: hostile, Unit: hostile, Parts: hostile}, shown)
			p.Line(hostile)
			p.Update(Snapshot{Phase: hostile, Round: 1, Rounds: 2, Total: 3})
			p.Close()
			p.Line(hostile)
		},
		"plain lines": func(b *buffer) {
			p := newProgress(b, Options{Title: hostile, Unit: hostile, Parts: hostile}, look{})
			p.Line(hostile)
			p.Update(Snapshot{Phase: hostile, Round: 1, Rounds: 2, Total: 3})
			p.Close()
		},
	} {
		var b buffer
		show(&b)
		out := b.String()
		for _, raw := range []string{"\x1b[2J\x1b]0;t", "\x1b]0;t", "\nforged", "\u202e", "\u009b"} {
			if strings.Contains(out, raw) {
				t.Errorf("%s holds %q:\n%q", name, raw, out)
			}
		}
		if !strings.Contains(ansi.Strip(out), quoted) {
			t.Errorf("%s does not show %s:\n%q", name, quoted, out)
		}
	}
}

// Cells of wide and combining characters keep the columns of a table apart.
func TestCellsOfOtherScriptsAlign(t *testing.T) {
	table := Table{Columns: []Column{{Title: "name"}, {Title: "state"}}, Rows: []Row{
		{Cells: []string{"e\u0301" + strings.Repeat("\u0301", 9), "x"}}, {Cells: []string{"模型", "x"}}, {Cells: []string{"plain", "x"}},
	}}
	at := -1
	for line := range strings.Lines(table.render(look{unicode: true})) {
		before, _, found := strings.Cut(line, "x")
		if width := ansi.StringWidth(before); found && at >= 0 && width != at {
			t.Errorf("%q: the second column begins at %d, in others at %d", line, width, at)
		} else if found {
			at = width
		}
	}
}
