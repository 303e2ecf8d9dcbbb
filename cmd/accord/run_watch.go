package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/term"
)

// watchPatience is how long a watch goes on without a coordinator.
const watchPatience = 5 * time.Minute

func newRunWatchCmd(s *steering) *cobra.Command {
	return &cobra.Command{
		Use:   "watch NAME",
		Short: "Follow a run, round by round, until it ends",
		Long: `Follow a run until it ends: a line for each version published. The exit code
says how it ended: 0 when it is complete, 1 when it failed or was stopped, 6
when it diverged.

Ctrl-C ends the watching, not the run; a coordinator that goes away is waited
for, for five minutes, and the watch goes on where it was. With --json each
change of the run's status is a line, with the versions that no line had before,
and at least the newest.`,
		Example: "  accord run watch digits-three-sites",
		Args:    cobra.ExactArgs(1),
		RunE:    s.verb(func(ctx context.Context, args []string) error { return s.follow(ctx, args[0]) }),
	}
}

// follow watches a run that does not end with the watching.
func (s *steering) follow(ctx context.Context, name string) error {
	err := s.watch(ctx, name)
	if ctx.Err() != nil {
		// A courtesy: when it cannot be written, so be it.
		_ = quote.Fprintf(s.stderr, "The run goes on. To follow it again:\n  %s\n", s.again("run", "watch", name))
	}
	return err
}

// watch prints what becomes of a run. A run that failed or was stopped is an
// error.
func (s *steering) watch(ctx context.Context, name string) error {
	var last coordinator.RunStatus
	heard := false
	w := watcher{steering: s}
	see := func(now coordinator.RunStatus) error {
		last, heard = now, true
		if s.json {
			return quote.Encode(s.stdout, now)
		}
		return w.see(now)
	}
	err := s.client.Watch(ctx, name, 0, see)
	// A coordinator that was there comes back: it is started again, say.
	for gone := time.Now(); last.Name != "" && errors.Is(err, fault.Unavailable) && time.Since(gone) < watchPatience; {
		heard = false
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
		if err = s.client.Watch(ctx, name, last.Versions, see); heard {
			gone = time.Now()
		}
	}
	if err != nil {
		return err
	}
	switch last.Phase {
	case round.Completed:
		return nil
	case round.Diverged:
		return fault.As(fault.Diverged, fmt.Errorf("run %s diverged in round %d: %s", name, last.Round, last.Reason))
	case round.Stopped:
		return fmt.Errorf("run %s was stopped: %s", name, last.Reason)
	default:
		return fmt.Errorf("run %s failed in round %d: %s", name, last.Round, last.Reason)
	}
}

// watcher turns a run's states into lines.
type watcher struct {
	*steering
	published int    // versions printed
	attempt   string // last attempt reported
	remark    string // last one printed
	remarked  string // the attempt in which that was
}

func (w *watcher) see(s coordinator.RunStatus) error {
	var lines []string
	if s.Versions < w.published {
		lines = append(lines, fmt.Sprintf("the coordinator was restored: it has %d of the run's %d versions", s.Versions, w.published))
	}
	// What came last is the end of the history; some of it may be known.
	news := min(len(s.Published), max(0, s.Versions-w.published))
	for _, v := range s.Published[len(s.Published)-news:] {
		lines = append(lines, versionLine(v, s.Rounds))
	}
	w.published = s.Versions
	if attempt := fmt.Sprintf("%d.%d", s.Round, s.Attempt); s.Phase == round.Retrying && attempt != w.attempt {
		w.attempt, w.remark = attempt, s.Reason
		lines = append(lines, fmt.Sprintf("round %d/%d is tried again: %s", s.Round, s.Rounds, s.Reason))
	}
	if attempt := fmt.Sprintf("%d.%d", s.Round, s.Attempt); s.Reason != "" && s.Reason != w.remark && attempt != w.remarked && s.Phase == round.Exchanging {
		w.remark, w.remarked = s.Reason, attempt
		lines = append(lines, s.Reason)
	}
	if s.Phase == round.Completed {
		if s.Reason != "" && s.Reason != w.remark {
			lines = append(lines, s.Reason)
		}
		lines = append(lines, completedLine(s))
	}
	for _, line := range lines {
		if err := quote.Fprintln(w.stdout, line); err != nil {
			return err
		}
	}
	return nil
}

func versionLine(v round.Version, rounds int) string {
	return fmt.Sprintf("round %d/%d  %s  model %.12s", v.Round, rounds, quality(v), v.Model)
}

// quality says how good a version is, as far as it was measured.
func quality(v round.Version) string {
	if v.Accuracy == nil {
		return "not measured"
	}
	text := "accuracy " + term.Percent(*v.Accuracy)
	if v.Loss != nil {
		text += fmt.Sprintf("  loss %.4f", *v.Loss)
	}
	if v.Validation != nil {
		text += "  validation " + term.Percent(*v.Validation)
	}
	return text
}

func completedLine(s coordinator.RunStatus) string {
	return fmt.Sprintf("complete: %d updates accepted, %d rejected, %d declined, %d late, %d lost",
		s.Counts.Accepted, s.Counts.Rejected, s.Counts.Declined, s.Counts.Late, s.Counts.Lost)
}
