package term

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

func TestBoardRedrawsInPlace(t *testing.T) {
	var b strings.Builder
	board := &Board{w: &b, look: look{terminal: true, live: true, unicode: true, width: 20, height: 5}}
	table := Table{Columns: []Column{{Title: "name"}, {Title: "state"}}, Rows: []Row{{Cells: []string{"athens", "a very long state indeed"}}}}
	if err := board.Show(table); err != nil {
		t.Fatal(err)
	}
	first := b.String()
	if strings.Contains(first, "\x1b[3A") || strings.Count(first, "\n") != 3 {
		t.Errorf("first, got\n%q\nwant three lines and no movement", first)
	}
	for line := range strings.Lines(first) {
		if width := ansi.StringWidth(strings.TrimSuffix(line, "\n")); width >= 20 {
			t.Errorf("line %q takes %d columns of 20", line, width)
		}
	}
	b.Reset()
	for range 9 {
		table.Rows = append(table.Rows, Row{Cells: []string{"berlin", "away"}})
	}
	if err := board.Show(table); err != nil {
		t.Fatal(err)
	}
	second := ansi.Strip(b.String())
	if !strings.HasPrefix(b.String(), "\x1b[3A") || strings.Count(second, "\n") != 4 || !strings.Contains(second, "… 9 more") {
		t.Errorf("then, got\n%q\nwant it three lines up, and what fits into the window", b.String())
	}
}

func TestCompactLeavesOutSilentColumns(t *testing.T) {
	table := Table{
		Columns: []Column{{Title: "name"}, {Title: "gossip"}, {Title: "load"}},
		Rows:    []Row{{Cells: []string{"a", "", "1"}}, {Cells: []string{"b", "", ""}, Strong: true}},
	}
	got := table.Compact()
	if len(got.Columns) != 2 || got.Columns[1].Title != "load" || len(got.Rows[1].Cells) != 2 || !got.Rows[1].Strong {
		t.Errorf("got %+v", got)
	}
}
