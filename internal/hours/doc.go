// Package hours knows weekly opening hours, such as "Mon-Fri 19:00-06:00", in
// a time zone.
//
// What the clock on the wall shows decides, to the minute: an hour that the
// end of summer time repeats is open twice or not at all, and one that its
// beginning skips is never there.
package hours
