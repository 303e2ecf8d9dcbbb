package coordinator

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/coordinator/round"
)

// A window that a clock a month ahead had opened is no longer, after a restart by
// the right clock, than a window is.
func TestAClockThatWasPutBackLengthensNoWindow(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(31 * 24 * time.Hour)
		w := start(t, dir, nil, nil)
		silent := w.site("silent", 100)
		defer w.Attach(silent)()
		defer attend(t.Context(), w.site("x", 1), w.site("y", 3))()
		d := definition(1)
		d.Window = round.Window{Deadline: time.Minute}
		if err := w.submit(d, params()); err != nil {
			t.Fatal(err)
		}
		<-silent.tasks
		synctest.Wait()
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
	})
	synctest.Test(t, func(t *testing.T) { // begins where every bubble does, a month earlier
		w := start(t, dir, nil, nil)
		defer w.close()
		defer w.Attach(w.site("silent", 100))()
		defer attend(t.Context(), w.site("x", 1), w.site("y", 3))()
		began := time.Now()
		if s := w.end("r"); s.Phase != round.Completed || s.Counts.Accepted != 2 {
			t.Errorf("got %+v, want a completed run from two updates", s)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("the window was open for %v after the restart, want a minute at most", took)
		}
	})
}
