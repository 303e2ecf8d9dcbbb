package term

import (
	"io"

	"github.com/accord-fl/accord/internal/quote"
)

// Progress shows how work is going. Its methods may be called from several
// goroutines.
type Progress interface {
	// Update replaces what is known. It never waits for the terminal, so it
	// may be called as often as something changes.
	Update(s Snapshot)
	// Line writes a line that stays, such as a warning. The text is quoted.
	Line(text string)
	// Close writes the last state and ends the display. Calls after the first
	// do nothing. Defer it: results must not be printed before.
	Close()
}

// Options describe the work. Its texts, and those of a Snapshot, may be other
// parties': they are quoted.
type Options struct {
	Title string // what is being done, in a few words
	Unit  string // what a round is called; "" means "round"
	Parts string // what a round is made of, such as "sites"; "bytes" are shown as sizes
}

// Snapshot is where the work stands.
type Snapshot struct {
	Phase         string // what is being done just now; may be ""
	Round, Rounds int    // the current one, from 1, of so many; 0: there are none
	Done, Total   int64  // parts of the current round, or of all the work
	Rate          float64
	// Measured is the newest round with an accuracy, 0 for none yet.
	Measured int
	Accuracy float64 // in [0, 1], of round Measured
	Loss     float64 // of round Measured, on the test set; 0: not known
	// Measuring tells that the round before the current one is still to be
	// measured.
	Measuring bool
	// TrainLoss is that of the training just going on; 0: not known.
	TrainLoss float64
}

// New returns a display for work on w: a live one when w is a terminal, plain
// lines otherwise.
func New(w io.Writer, o Options) Progress { return newProgress(w, o, lookOf(w)) }

func newProgress(w io.Writer, o Options, look look) Progress {
	if o.Unit == "" {
		o.Unit = "round"
	}
	o.Title, o.Unit, o.Parts = quote.Text(o.Title), quote.Text(o.Unit), quote.Text(o.Parts)
	if look.live {
		return newLive(w, o, look)
	}
	return newPlain(w, o)
}
