package hours

import (
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a site's machine may have no time zones of its own

	"github.com/accord-fl/accord/internal/fault"
)

const (
	day  = 24 * 60 // minutes
	week = 7 * day
)

// Hours are a week's opening hours. The zero value is always open.
type Hours struct {
	zone *time.Location
	open []bool // by minute since Monday 00:00 on the wall; nil: always
}

// Parse reads opening hours: each entry is days and a span of time, "Mon
// 08:00-12:00", "Mon-Fri 19:00-06:00" or "Sat,Sun 00:00-24:00". A span whose
// end is not after its beginning ends on the next day. Days may wrap around
// the week, as in "Fri-Mon". zone is a name of the IANA data base, such as
// Europe/Berlin, UTC or Local. No entries mean always open. Errors are of
// class fault.Input.
func Parse(entries []string, zone string) (Hours, error) {
	if len(entries) == 0 {
		return Hours{}, nil
	}
	if zone == "" {
		return Hours{}, fault.Inputf("hours need a time zone, such as Europe/Berlin")
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return Hours{}, fault.Inputf("time zone %.60q is not known; want a name such as Europe/Berlin", zone)
	}
	h := Hours{zone: location, open: make([]bool, week)}
	for _, entry := range entries {
		if err := h.add(entry); err != nil {
			return Hours{}, err
		}
	}
	return h, nil
}

// add opens what an entry names.
func (h Hours) add(entry string) error {
	days, span, ok := strings.Cut(strings.TrimSpace(entry), " ")
	if !ok {
		return fault.Inputf("hours %.60q: want days and a time, such as \"Mon-Fri 19:00-06:00\"", entry)
	}
	from, to, err := parseSpan(strings.TrimSpace(span))
	if err != nil {
		return fault.Inputf("hours %.60q: %w", entry, err)
	}
	for part := range strings.SplitSeq(days, ",") {
		first, last, err := parseDays(part)
		if err != nil {
			return fault.Inputf("hours %.60q: %w", entry, err)
		}
		for d := first; d <= last; d++ {
			for m := from; m < to; m++ {
				h.open[(d*day+m)%week] = true
			}
		}
	}
	return nil
}

// parseSpan reads "19:00-06:00" as minutes since the day's beginning, to after
// from.
func parseSpan(span string) (from, to int, err error) {
	begin, end, ok := strings.Cut(span, "-")
	if ok {
		from, ok = parseClock(begin)
	}
	if ok {
		to, ok = parseClock(end)
	}
	switch {
	case !ok || from == day:
		return 0, 0, fault.Inputf("%.30q is no span of time; want one such as 19:00-06:00", span)
	case from == to:
		return 0, 0, fault.Inputf("%.30q is empty; 00:00-24:00 is the whole day", span)
	case to < from:
		to += day
	}
	return from, to, nil
}

// parseClock reads a time of day from 00:00 to 24:00, in minutes.
func parseClock(s string) (minutes int, ok bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, false
	}
	hour, err := strconv.ParseUint(s[:2], 10, 8)
	if err != nil {
		return 0, false
	}
	minute, err := strconv.ParseUint(s[3:], 10, 8)
	minutes = int(60*hour + minute)
	return minutes, err == nil && minute < 60 && minutes <= day
}

// parseDays reads "Mon" or "Fri-Mon" as days since Monday, last not before
// first.
func parseDays(s string) (first, last int, err error) {
	begin, end, isRange := strings.Cut(s, "-")
	first, ok := parseDay(begin)
	last = first
	if ok && isRange {
		last, ok = parseDay(end)
	}
	if !ok {
		return 0, 0, fault.Inputf("%.30q is no day; want Mon, Tue, Wed, Thu, Fri, Sat, Sun or a range such as Mon-Fri", s)
	}
	if last < first {
		last += 7
	}
	return first, last, nil
}

func parseDay(s string) (int, bool) {
	for i, name := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		if strings.EqualFold(s, name) {
			return i, true
		}
	}
	return 0, false
}

// Open reports whether it is open at t.
func (h Hours) Open(t time.Time) bool {
	if h.open == nil {
		return true
	}
	t = t.In(h.zone)
	weekday := (int(t.Weekday()) + 6) % 7 // since Monday
	return h.open[weekday*day+t.Hour()*60+t.Minute()]
}

// Change returns when Open next gives another answer than at t, in the hours'
// time zone; zero when it never does.
func (h Hours) Change(t time.Time) time.Time {
	if h.open == nil {
		return time.Time{}
	}
	now := h.Open(t)
	next := t.In(h.zone).Truncate(time.Minute)
	for range week + day { // a change of summer time adds less than a day
		next = next.Add(time.Minute)
		if h.Open(next) != now {
			return next
		}
	}
	return time.Time{}
}
