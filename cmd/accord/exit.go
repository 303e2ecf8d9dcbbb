package main

import (
	"context"
	"errors"

	"github.com/accord-fl/accord/internal/fault"
)

// Exit codes, as `accord --help` documents them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitInput       = 3
	exitUnavailable = 4
	exitExists      = 5
	exitDiverged    = 6
	exitInterrupted = 130 // 128 + SIGINT, as shells count
)

const exitHelp = `Exit codes:
  0    done
  1    failure
  2    the command line is wrong
  3    a file, a configuration or a value is wrong; nothing was changed
  4    a peer cannot be reached, or an address is in use
  5    what would be written is already there; nothing was changed
  6    the run diverged: a number was no longer finite; what was published stays
  130  interrupted by Ctrl-C or SIGTERM; what was published stays`

// exitCode sorts an error by its class.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, fault.Usage):
		return exitUsage
	case errors.Is(err, fault.Exists):
		return exitExists
	case errors.Is(err, fault.Diverged):
		return exitDiverged
	case errors.Is(err, fault.Unavailable):
		return exitUnavailable
	case errors.Is(err, fault.Input):
		return exitInput
	default:
		return exitFailure
	}
}
