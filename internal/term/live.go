package term

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"charm.land/bubbles/v2/progress"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/accord-fl/accord/internal/quote"
)

// frame is how often a live display is drawn again.
const frame = 100 * time.Millisecond

// live redraws a few lines in place.
type live struct {
	w       io.Writer
	screen  screen
	program *tea.Program
	ended   chan struct{} // closed when program has ended

	mu     sync.Mutex
	t      tracker
	closed bool
}

var _ Progress = (*live)(nil)

func newLive(w io.Writer, o Options, l look) *live {
	d := &live{w: w, ended: make(chan struct{}), t: tracker{started: time.Now()}}
	d.screen = newScreen(d, o, l)
	d.program = tea.NewProgram(d.screen,
		tea.WithOutput(w),
		tea.WithInput(nil), // the terminal keeps turning Ctrl-C into a signal
		tea.WithoutSignalHandler(),
		tea.WithWindowSize(l.width, 24), // until the terminal tells its own
	)
	go func() {
		defer close(d.ended)
		// Progress is a courtesy: when it cannot be drawn, the work goes on.
		_, _ = d.program.Run()
	}()
	return d
}

func (d *live) Update(s Snapshot) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.t.update(s)
}

func (d *live) Line(text string) {
	text = quote.Text(text)
	select {
	case <-d.ended:
		_, _ = fmt.Fprintln(d.w, text)
	default:
		d.program.Println(text)
	}
}

func (d *live) Close() {
	d.mu.Lock()
	first := !d.closed
	d.closed = true
	d.mu.Unlock()
	if first {
		d.program.Quit()
	}
	<-d.ended
	if !first {
		return
	}
	// The display has erased itself. The last state is written again, because
	// the ^C that a terminal echoes is not part of what bubbletea thinks is
	// there. A visible cursor got a shape from it: back to the user's own.
	s, t := d.screen, d.now()
	if width := lookOf(d.w).width; width > 0 {
		s.width = max(width, 20)
	}
	lines := s.lines(&t, true, time.Now())
	_, _ = lipgloss.Fprint(d.w, ansi.SetCursorStyle(0)+"\r"+strings.Join(lines, "\n")+"\n")
}

// now copies what is known.
func (d *live) now() tracker {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.t
}

func (d *live) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// screen is the bubbletea model: it draws what its live display knows.
type screen struct {
	d     *live
	o     Options
	look  look
	width int
	bar   progress.Model
}

type tick struct{}

func newScreen(d *live, o Options, l look) screen {
	fill, empty := '━', '─'
	if !l.unicode {
		fill, empty = '#', '.'
	}
	bar := progress.New(
		progress.WithColors(lipgloss.Color("6")),
		progress.WithFillCharacters(fill, empty),
	)
	return screen{d: d, o: o, look: l, width: max(l.width, 20), bar: bar}
}

// Init starts the clock.
func (s screen) Init() tea.Cmd {
	return tea.Tick(frame, func(time.Time) tea.Msg { return tick{} })
}

// Update follows the clock and the size of the window.
func (s screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.width = max(msg.Width, 20)
	case tick:
		return s, s.Init()
	}
	return s, nil
}

// View draws. The cursor is parked, visible, below the last line, and no mode
// of the terminal is changed.
func (s screen) View() tea.View {
	var lines []string
	text := ""
	if t := s.d.now(); !s.d.isClosed() {
		lines = s.lines(&t, false, time.Now())
		text = strings.Join(lines, "\n") + "\n"
	}
	view := tea.NewView(text)
	view.Cursor = tea.NewCursor(0, len(lines))
	view.DisableBracketedPasteMode = true
	return view
}

var (
	bold  = lipgloss.NewStyle().Bold(true)
	faint = lipgloss.NewStyle().Faint(true)
	green = lipgloss.NewStyle().Foreground(lipgloss.Color("2"))
)

// lines are the rows of the display: title, bar, how good, how far, how long.
// Rows that are too long for the window are wrapped between their texts.
func (s screen) lines(t *tracker, closed bool, now time.Time) []string {
	lines := []string{bold.Render(fit(s.o.Title, s.width-1)), s.barLine(t)}
	far := []string{s.o.rate(t.last)}
	long := t.times(now)
	if closed {
		long = long[:1] // nothing is left
	} else {
		far = append([]string{s.o.parts(t.last), t.last.Phase, trainLoss(t.last)}, far...)
	}
	long[0] = faint.Render(long[0])
	for _, row := range [][]string{s.quality(t), far, long} {
		lines = append(lines, flow(present(row...), s.width-1)...)
	}
	return lines
}

func (s screen) barLine(t *tracker) string {
	label := ""
	if t.last.Rounds > 0 {
		label = s.o.Unit + " " + counter(max(t.last.Round, 1), t.last.Rounds) + " "
	}
	room := s.width - 1 - len(label)
	if room < 10 {
		return label
	}
	s.bar.SetWidth(min(room, 60))
	return label + s.bar.ViewAs(t.share())
}

func (s screen) quality(t *tracker) []string {
	var texts []string
	if t.last.Measured > 0 {
		texts = append(texts, "accuracy "+green.Render(Percent(t.last.Accuracy)))
		if curve := sparkline(t.accuracy, 12); s.look.unicode && curve != "" {
			texts = append(texts, green.Render(curve))
		}
	}
	if t.last.Loss > 0 {
		texts = append(texts, fmt.Sprintf("loss %.4f", t.last.Loss))
	}
	return texts
}

// flow sets texts side by side, two spaces apart, in lines of at most width
// columns.
func flow(texts []string, width int) []string {
	var lines []string
	line := ""
	for _, text := range texts {
		switch {
		case line == "":
			line = text
		case lipgloss.Width(line)+2+lipgloss.Width(text) <= width:
			line += "  " + text
		default:
			lines = append(lines, line)
			line = text
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// fit cuts text to width columns.
func fit(text string, width int) string { return lipgloss.NewStyle().MaxWidth(width).Render(text) }
