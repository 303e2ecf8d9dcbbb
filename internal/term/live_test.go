package term

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// buffer is a writer that the display and the test share.
type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestLiveEndsAndLeavesTheTerminalAlone(t *testing.T) {
	defer goleak.VerifyNone(t)
	var b buffer
	d := newLive(&b, Options{Title: "digits", Unit: "round", Parts: "sites"}, look{live: true, unicode: true, width: 60})
	d.Update(Snapshot{Round: 1, Rounds: 2, Done: 1, Total: 10})
	d.Line("a warning")
	d.Update(Snapshot{Round: 2, Rounds: 2, Done: 10, Total: 10, Measured: 2, Accuracy: 0.9753})
	d.Close()
	d.Close()
	d.Line("after the end")
	out := b.String()
	for _, want := range []string{"digits", "a warning", "97.53", "after the end\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%q", want, out)
		}
	}
	for name, mode := range map[string]string{
		"hides the cursor":         ansi.HideCursor,
		"enters the other screen":  ansi.SetModeAltScreenSaveCursor,
		"turns on bracketed paste": ansi.SetModeBracketedPaste,
	} {
		if strings.Contains(out, mode) {
			t.Errorf("the display %s", name)
		}
	}
}

func TestScreenFitsTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := tracker{started: time.Now()}
		for round := 1; round <= 3; round++ {
			time.Sleep(30 * time.Second)
			tr.update(Snapshot{Phase: "training", Round: round + 1, Rounds: 20, Done: 6, Total: 10, Rate: 8123.4, Measured: round, Accuracy: 0.8 + 0.05*float64(round), Loss: 0.25})
		}
		for width, want := range map[int][]string{
			80: {
				"digits: ten sites",
				"round  4/20 ━━━━━━━━━━─────────────────────────────────────────────  18%",
				"accuracy 95.00 %  ▁▄█  loss 0.2500",
				"6/10 sites  training  8,123 samples/s",
				"1:30 elapsed  about 12:18 left",
			},
			40: {
				"digits: ten sites",
				"round  4/20 ━━━━──────────────────  18%",
				"accuracy 95.00 %  ▁▄█  loss 0.2500",
				"6/10 sites  training  8,123 samples/s",
				"1:30 elapsed  about 12:18 left",
			},
			20: {
				"digits: ten sites",
				"round  4/20 ",
				"accuracy 95.00 %",
				"▁▄█  loss 0.2500",
				"6/10 sites",
				"training",
				"8,123 samples/s",
				"1:30 elapsed",
				"about 12:18 left",
			},
		} {
			s := newScreen(nil, Options{Title: "digits: ten sites", Unit: "round", Parts: "sites"}, look{unicode: true, width: width})
			var got []string
			for _, line := range s.lines(&tr, false, time.Now()) {
				got = append(got, ansi.Strip(line))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("width %d: lines differ (-want +got):\n%s", width, diff)
			}
		}
	})
}

func TestLook(t *testing.T) {
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	for _, c := range []struct {
		name, goos    string
		env           func(string) string
		unicode, dumb bool
	}{
		{"nothing set", "linux", env(), false, true},
		{"usual", "linux", env("LANG", "de_DE.UTF-8", "TERM", "xterm"), true, false},
		{"LC_ALL wins", "darwin", env("LC_ALL", "C", "LANG", "en_US.UTF-8", "TERM", "xterm"), false, false},
		{"emacs", "linux", env("LANG", "C.utf8", "TERM", "dumb"), true, true},
		{"windows", "windows", env(), true, false},
	} {
		if got := unicodeLocale(c.goos, c.env); got != c.unicode {
			t.Errorf("%s: unicode: got %v, want %v", c.name, got, c.unicode)
		}
		if got := dumb(c.goos, c.env); got != c.dumb {
			t.Errorf("%s: dumb: got %v, want %v", c.name, got, c.dumb)
		}
	}
}

func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:                          "0:00",
		48*time.Second + 400*time.Millisecond: "0:48",
		12*time.Minute + 5*time.Second:        "12:05",
		time.Hour + 2*time.Minute:             "1:02:00",
	} {
		if got := Clock(d); got != want {
			t.Errorf("Clock(%v): got %q, want %q", d, got, want)
		}
	}
}
