package hours

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/accord-fl/accord/internal/fault"
)

const layout = "2006-01-02 15:04 -0700"

func TestOpen(t *testing.T) {
	const berlin = "Europe/Berlin"
	for _, c := range []struct {
		name    string
		entries []string
		zone    string
		at      string // the change that follows counts from here
		open    bool
		change  string // "" for never
	}{
		{"always", nil, "", "2026-06-03 12:00 +0200", true, ""},
		{"in the evening", []string{"Mon-Fri 19:00-06:00"}, berlin, "2026-06-03 20:00 +0200", true, "2026-06-04 06:00 +0200"},
		{"after midnight", []string{"Mon-Fri 19:00-06:00"}, berlin, "2026-06-04 05:59 +0200", true, "2026-06-04 06:00 +0200"},
		{"at closing time", []string{"Mon-Fri 19:00-06:00"}, berlin, "2026-06-04 06:00 +0200", false, "2026-06-04 19:00 +0200"},
		{"at opening time", []string{"Mon-Fri 19:00-06:00"}, berlin, "2026-06-04 19:00 +0200", true, "2026-06-05 06:00 +0200"},
		{"Friday's night is Saturday's morning", []string{"Mon-Fri 19:00-06:00"}, berlin, "2026-06-06 05:00 +0200", true, "2026-06-06 06:00 +0200"},
		{"Saturday", []string{"Mon-Fri 19:00-06:00"}, berlin, "2026-06-06 20:00 +0200", false, "2026-06-08 19:00 +0200"},
		{"Sunday's night is Monday's morning", []string{"Sun 22:00-02:00"}, berlin, "2026-06-08 01:00 +0200", true, "2026-06-08 02:00 +0200"},
		{"entries join", []string{"Mon-Fri 19:00-06:00", "Sat-Sun 00:00-24:00"}, berlin, "2026-06-05 20:00 +0200", true, "2026-06-08 00:00 +0200"},
		{"days that wrap", []string{"fri-mon 09:00-10:00"}, "UTC", "2026-06-08 09:30 +0000", true, "2026-06-08 10:00 +0000"},
		{"days one by one", []string{"Mon,Wed 09:00-10:00"}, "UTC", "2026-06-09 09:30 +0000", false, "2026-06-10 09:00 +0000"},
		{"the whole week", []string{"Mon-Sun 00:00-24:00"}, "UTC", "2026-06-09 09:30 +0000", true, ""},
		{"seen from another zone", []string{"Wed 12:00-13:00"}, berlin, "2026-06-03 10:30 +0000", true, "2026-06-03 13:00 +0200"},
		// 29 March 2026: 02:00 becomes 03:00. 25 October: 03:00 becomes 02:00.
		{"opens in an hour that is skipped", []string{"Sun 02:30-05:00"}, berlin, "2026-03-29 01:59 +0100", false, "2026-03-29 03:00 +0200"},
		{"closes in an hour that is skipped", []string{"Sun 00:00-02:30"}, berlin, "2026-03-29 01:59 +0100", true, "2026-03-29 03:00 +0200"},
		{"lies in an hour that is skipped", []string{"Sun 02:10-02:50"}, berlin, "2026-03-28 12:00 +0100", false, "2026-04-05 02:10 +0200"},
		{"closes in an hour that comes twice", []string{"Sun 00:00-02:30"}, berlin, "2026-10-25 02:29 +0200", true, "2026-10-25 02:30 +0200"},
		{"opens again when it comes again", []string{"Sun 00:00-02:30"}, berlin, "2026-10-25 02:30 +0200", false, "2026-10-25 02:00 +0100"},
		{"a night of 11 hours and one more", []string{"Sat 19:00-06:00"}, berlin, "2026-10-24 19:00 +0200", true, "2026-10-25 06:00 +0100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := Parse(c.entries, c.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(layout, c.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := h.Open(at); got != c.open {
				t.Errorf("at %s: got open %t, want %t", c.at, got, c.open)
			}
			got := ""
			if change := h.Change(at); !change.IsZero() {
				got = change.Format(layout)
			}
			if got != c.change {
				t.Errorf("after %s: got a change at %q, want %q", c.at, got, c.change)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ name, entry, zone, want string }{
		{"no zone", "Mon 08:00-12:00", "", "need a time zone"},
		{"unknown zone", "Mon 08:00-12:00", "Europe/Atlantis", "Europe/Atlantis"},
		{"no time", "Mon", "UTC", "want days and a time"},
		{"unknown day", "Montag 08:00-12:00", "UTC", "is no day"},
		{"half a range", "Mon- 08:00-12:00", "UTC", "is no day"},
		{"no end", "Mon 08:00", "UTC", "is no span"},
		{"one digit", "Mon 8:00-12:00", "UTC", "is no span"},
		{"minute 60", "Mon 08:60-12:00", "UTC", "is no span"},
		{"after midnight", "Mon 08:00-24:01", "UTC", "is no span"},
		{"begins at 24:00", "Mon 24:00-06:00", "UTC", "is no span"},
		{"a sign", "Mon +8:00-12:00", "UTC", "is no span"},
		{"empty", "Mon 08:00-08:00", "UTC", "is empty"},
	} {
		_, err := Parse([]string{c.entry}, c.zone)
		if !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want bad input with %q", c.name, err, c.want)
		}
	}
}

// Whatever is accepted opens at some time, and what Change says holds.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"Mon-Fri 19:00-06:00", "Sat,Sun 00:00-24:00", "fri-mon 23:59-00:00", "Sun", "-", "Mon 99:99-00:00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		h, err := Parse([]string{entry}, "America/New_York")
		if err != nil {
			if !errors.Is(err, fault.Input) {
				t.Errorf("%q: got error %v, want bad input", entry, err)
			}
			return
		}
		at := time.Date(2026, 11, 1, 3, 0, 30, 0, time.UTC) // hours before summer time ends
		change := h.Change(at)
		if change.IsZero() && !h.Open(at) {
			t.Errorf("%q never opens", entry)
		}
		if !change.IsZero() && (h.Open(change) == h.Open(at) || h.Open(change.Add(-time.Minute)) != h.Open(at)) {
			t.Errorf("%q: nothing changes at %v", entry, change)
		}
	})
}
