package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/report"
)

// again is a command line of this program that can be pasted where this one
// was typed.
func again(args ...string) string {
	return report.ShellLine(append(program(os.Args[0], "cmd/accord/main.go"), args...))
}

// program says how this program was called, given its own path. `go run` runs
// a binary that is gone afterwards; main is a file that is there where `go run
// ./cmd/accord` works.
func program(self, main string) []string {
	if !strings.Contains(filepath.ToSlash(self), "/go-build") {
		return []string{self}
	}
	if _, err := os.Stat(main); err != nil {
		return []string{"go", "run", "github.com/accord-fl/accord/cmd/accord"}
	}
	return []string{"go", "run", "./cmd/accord"}
}

// patience writes text to w when what comes takes longer than a moment. The
// caller calls done when it is over; nothing is written after that.
func patience(w io.Writer, text string) (done func()) {
	over := make(chan struct{})
	var said sync.WaitGroup
	said.Go(func() {
		moment := time.NewTimer(time.Second)
		defer moment.Stop()
		select {
		case <-over:
		case <-moment.C:
			// Progress is a courtesy: when it cannot be written, the work goes on.
			_ = quote.Fprintln(w, text+" …")
		}
	})
	return func() {
		close(over)
		said.Wait()
	}
}
