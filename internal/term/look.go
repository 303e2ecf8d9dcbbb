package term

import (
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"
)

// look is what a writer can show.
type look struct {
	terminal bool // a person watches, and cursor movements work
	live     bool // a display that redraws itself is welcome
	unicode  bool
	width    int // columns; 0 when not known
	height   int // lines; 0 when not known
}

// lookOf finds out about w and the environment.
func lookOf(w io.Writer) look {
	l := look{unicode: unicodeLocale(runtime.GOOS, os.Getenv)}
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || dumb(runtime.GOOS, os.Getenv) {
		return l
	}
	l.terminal = true
	l.live = os.Getenv("CI") == ""
	if width, height, err := term.GetSize(int(file.Fd())); err == nil {
		l.width, l.height = width, height
	}
	return l
}

// dumb reports whether the terminal cannot move its cursor. Windows sets no
// TERM; elsewhere a terminal without one is not to be trusted.
func dumb(goos string, getenv func(string) string) bool {
	name := getenv("TERM")
	return name == "dumb" || name == "" && goos != "windows"
}

// unicodeLocale reports whether text is UTF-8: by the first locale variable that
// is set, as in POSIX; always on Windows, whose terminals have none.
func unicodeLocale(goos string, getenv func(string) string) bool {
	if goos == "windows" {
		return true
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := getenv(name); value != "" {
			value = strings.ToUpper(value)
			return strings.Contains(value, "UTF-8") || strings.Contains(value, "UTF8")
		}
	}
	return false
}
