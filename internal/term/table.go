package term

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"

	"github.com/accord-fl/accord/internal/quote"
)

// maxCell bounds, in bytes, what a cell shows.
const maxCell = 256

// Table is a result with rows and columns. Titles and cells may be other parties'
// texts: each is quoted, so it is a part of one line and ends there.
type Table struct {
	Title   string
	Columns []Column
	Rows    []Row
}

// Column describes the cells below a title.
type Column struct {
	Title string
	Right bool // numbers: aligned to the right
	Bar   bool // cells hold a share in [0, 1], such as "0.975", and are drawn as a bar
}

// Row is one line of a table, with a cell for each column.
type Row struct {
	Cells  []string
	Strong bool // stands out: the result that matters
}

// barWidth is how many columns the share 1 takes.
const barWidth = 24

// Print writes the table to w: with rules and colour on a terminal, plain
// columns elsewhere.
func (t Table) Print(w io.Writer) error {
	look := lookOf(w)
	text, title := t.render(look), quote.Text(t.Title)
	if look.terminal {
		title = bold.Render(title)
	} else {
		text = trimLines(text)
	}
	if t.Title != "" {
		text = title + "\n\n" + text
	}
	// lipgloss drops colours that w cannot show or NO_COLOR forbids.
	if _, err := lipgloss.Fprintln(w, text); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}

// render draws the table, without bars when it would be too wide with them.
func (t Table) render(l look) string {
	header := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		header[i] = quote.Cut(c.Title, maxCell)
	}
	out := table.New().
		Headers(header...).
		Border(border(l)).
		BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).BorderColumn(false).
		StyleFunc(func(row, column int) lipgloss.Style { return t.style(row, column, l) })
	for _, row := range t.Rows {
		out.Row(t.cells(row, l)...)
	}
	text := out.String()
	if l.width > 0 && lipgloss.Width(text) > l.width && slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Bar }) {
		return t.without(func(i int) bool { return t.Columns[i].Bar }).render(l)
	}
	return text
}

// Compact returns the table less the columns in which no row says anything.
func (t Table) Compact() Table {
	return t.without(func(i int) bool {
		return !slices.ContainsFunc(t.Rows, func(r Row) bool { return i < len(r.Cells) && r.Cells[i] != "" })
	})
}

// without returns the table less the columns that drop names by number.
func (t Table) without(drop func(i int) bool) Table {
	less := Table{Title: t.Title}
	for i, c := range t.Columns {
		if !drop(i) {
			less.Columns = append(less.Columns, c)
		}
	}
	for _, row := range t.Rows {
		kept := Row{Strong: row.Strong}
		for i, cell := range row.Cells {
			if !drop(i) {
				kept.Cells = append(kept.Cells, cell)
			}
		}
		less.Rows = append(less.Rows, kept)
	}
	return less
}

func border(l look) lipgloss.Border {
	if l.unicode {
		return lipgloss.NormalBorder()
	}
	return lipgloss.ASCIIBorder()
}

// style aligns the cell at row, column, and colours it on a terminal.
func (t Table) style(row, column int, l look) lipgloss.Style {
	style := lipgloss.NewStyle()
	if column < len(t.Columns)-1 {
		style = style.PaddingRight(2)
	}
	if t.Columns[column].Right {
		style = style.AlignHorizontal(lipgloss.Right)
	}
	switch {
	case !l.terminal:
		return style
	case row == table.HeaderRow:
		return style.Faint(true)
	case t.Rows[row].Strong:
		return style.Bold(true).Foreground(lipgloss.Color("2"))
	default:
		return style
	}
}

// cells returns the texts of a row, with bars drawn.
func (t Table) cells(row Row, l look) []string {
	cells := make([]string, len(t.Columns))
	for i, cell := range row.Cells[:min(len(row.Cells), len(cells))] {
		cells[i] = quote.Cut(cell, maxCell)
	}
	for i, c := range t.Columns {
		if share, err := strconv.ParseFloat(cells[i], 64); c.Bar && err == nil {
			cells[i] = bar(share, l.unicode)
		}
	}
	return cells
}

// bar draws a share in [0, 1], to an eighth of a column where it can.
func bar(share float64, unicode bool) string {
	columns := min(1, max(0, share)) * barWidth
	if !unicode {
		return strings.Repeat("#", int(math.Round(columns)))
	}
	eighths := int(math.Round(columns * 8))
	return strings.Repeat("█", eighths/8) + strings.TrimSpace([]string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}[eighths%8])
}

// trimLines removes blanks at the end of every line.
func trimLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}
