package term

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/accord-fl/accord/internal/quote"
)

// quiet is how long a plain display says nothing inside a round.
const quiet = 5 * time.Second

// plain writes a line at once, one for every round, and one every few seconds
// inside a round. That another phase begins is no reason for a line of its own.
type plain struct {
	w io.Writer
	o Options

	mu     sync.Mutex
	t      tracker
	told   int       // the newest round that ended and was told of
	wrote  time.Time // when the last line about a snapshot was written
	unsaid bool      // the last snapshot was not written
	closed bool
}

var _ Progress = (*plain)(nil)

func newPlain(w io.Writer, o Options) *plain {
	p := &plain{w: w, o: o, t: tracker{started: time.Now()}}
	if o.Title != "" {
		p.print(o.Title)
	}
	return p
}

func (p *plain) Update(s Snapshot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	now := time.Now()
	switch measured := p.t.update(s); {
	case measured:
		p.print(p.measured(now))
	case p.wrote.IsZero(), now.Sub(p.wrote) >= quiet,
		p.told < s.Round-1 && !s.Measuring: // a round that ended unmeasured
		p.print(p.inside(now))
	default:
		p.unsaid = true
		return
	}
	p.wrote, p.unsaid = now, false
	p.told = max(p.told, s.Measured)
	if !s.Measuring {
		p.told = max(p.told, s.Round-1)
	}
}

func (p *plain) Line(text string) {
	text = quote.Text(text)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.print(text)
}

func (p *plain) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Where rounds are measured, the last of those lines was the result.
	if !p.closed && p.unsaid && p.t.last.Measured == 0 {
		p.print(p.inside(time.Now()))
	}
	p.closed = true
}

// measured tells what the newest measured round came to.
func (p *plain) measured(now time.Time) string {
	s := p.t.last
	texts := []string{"accuracy " + Percent(s.Accuracy)}
	if s.Loss > 0 {
		texts = append(texts, fmt.Sprintf("loss %.4f", s.Loss))
	}
	return p.line(s.Measured, append(texts, p.o.rate(s)), now)
}

// inside tells how far the current round is.
func (p *plain) inside(now time.Time) string {
	s := p.t.last
	return p.line(s.Round, []string{s.Phase, p.o.parts(s), trainLoss(s), p.o.rate(s)}, now)
}

func (p *plain) line(round int, texts []string, now time.Time) string {
	texts = present(append(texts, p.t.times(now)...)...)
	if p.t.last.Rounds > 0 && round > 0 {
		return p.o.Unit + " " + counter(round, p.t.last.Rounds) + ": " + strings.Join(texts, ", ")
	}
	return strings.Join(texts, ", ")
}

// print writes one line. Progress is a courtesy: when it cannot be written,
// the work goes on.
func (p *plain) print(text string) { _, _ = fmt.Fprintln(p.w, text) }
