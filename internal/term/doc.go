// Package term shows people how long work is going, and prints tables of
// results.
//
// On a terminal progress is a small display that is drawn over and over; in a
// file, a pipe or a CI log it is a plain line now and then. Both only ever
// write to the writer they are given. Keys are not read and signals not
// caught, so Ctrl-C does what it does without a display, and the cursor stays
// visible, so nothing needs repair after a crash. Colour is used on terminals
// only and never with NO_COLOR; characters beyond ASCII only where the locale
// says UTF-8.
package term
