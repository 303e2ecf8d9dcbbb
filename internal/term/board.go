package term

import (
	"fmt"
	"io"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// Board is a table that is drawn in place over and over, on a terminal. Not
// elsewhere: there, lines are printed instead. It has one owner.
type Board struct {
	w     io.Writer
	look  look
	drawn int // lines that are there now
}

// NewBoard returns a board on w.
func NewBoard(w io.Writer) *Board { return &Board{w: w, look: lookOf(w)} }

// Live reports whether w is a terminal on which a table can be redrawn.
func (b *Board) Live() bool { return b.look.live }

// Show draws t in the place of what was shown before. Lines that do not fit
// into the window are cut, so that the place stays known.
func (b *Board) Show(t Table) error {
	now := lookOf(b.w)
	if now.width > 0 {
		b.look = now
	}
	lines := strings.Split(strings.TrimRight(t.render(b.look), "\n"), "\n")
	if most := b.look.height - 1; most > 1 && len(lines) > most {
		lines = append(lines[:most-1], fmt.Sprintf("… %d more", len(lines)-most+1))
	}
	if b.drawn > 0 {
		if _, err := io.WriteString(b.w, ansi.CursorUp(b.drawn)+"\r"+ansi.EraseScreenBelow); err != nil {
			return fmt.Errorf("show table: %w", err)
		}
	}
	var text strings.Builder
	for _, line := range lines {
		if b.look.width > 0 {
			line = fit(line, b.look.width-1)
		}
		text.WriteString(line + "\n")
	}
	b.drawn = len(lines)
	if _, err := lipgloss.Fprint(b.w, text.String()); err != nil {
		return fmt.Errorf("show table: %w", err)
	}
	return nil
}
