package rpc

import (
	"context"
	"errors"
	"sync"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/fault"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// WatchRun sends how a run stands until it has ended.
func (a *admin) WatchRun(r *accordv1.WatchRunRequest, stream accordv1.AdminService_WatchRunServer) error {
	if r.GetSince() < 0 {
		return fault.Inputf("watch run: got since %d, want 0 or more", r.GetSince())
	}
	ctx, cancel := a.untilStopping(stream.Context())
	defer cancel()
	w := watcher{stream: stream, differences: r.Since != nil, known: int(r.GetSince())}
	for seq := uint64(0); ; {
		state, last, err := a.runs.Since(ctx, r.GetName(), seq)
		switch {
		case errors.Is(err, coordinator.ErrClosed), err != nil && a.isStopping():
			return errStopping
		case err != nil:
			return err
		}
		if err := w.send(state, a.runs.Held()); err != nil || state.Phase.Final() {
			return err
		}
		seq = last
	}
}

// untilStopping returns a context that ends with ctx, or when the server is to
// stop; cancel must be called.
func (a *admin) untilStopping(ctx context.Context) (_ context.Context, cancel func()) {
	ctx, end := context.WithCancel(ctx)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case <-a.stopping:
			end()
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		end()
		waiting.Wait()
	}
}

func (a *admin) isStopping() bool {
	select {
	case <-a.stopping:
		return true
	default:
		return false
	}
}

// watcher is the sending half of a watch.
type watcher struct {
	stream      accordv1.AdminService_WatchRunServer
	differences bool // the caller wants what is new to it
	known       int  // versions that the caller has
	cohort      cohort
}

// cohort tells one cohort of a run from another: members join within an attempt, and
// none leaves.
type cohort struct{ round, attempt, size int }

// send brings the caller up to a state; why says what holds all runs up, if
// anything does.
func (w *watcher) send(s round.State, why string) error {
	if !w.differences {
		return w.stream.Send(&accordv1.WatchRunResponse{Run: heldUp(fromRunStatus(coordinator.Describe(s)), why)})
	}
	w.known = min(w.known, s.Published.Len()) // a coordinator that was restored may have fewer
	for s.Published.Len()-w.known > versionPage {
		page := s.Published.Since(w.known, versionPage)
		if err := w.stream.Send(&accordv1.WatchRunResponse{Earlier: fromVersions(page)}); err != nil {
			return err
		}
		w.known += len(page)
	}
	status := coordinator.Summary(s)
	if news := s.Published.Since(w.known, versionPage); len(news) > 0 {
		status.Published = news
	}
	now := cohort{s.Round, s.Attempt, len(s.Cohort())}
	unchanged := now == w.cohort
	if !unchanged {
		status.Cohort = s.Cohort()
	}
	w.known, w.cohort = s.Published.Len(), now
	return w.stream.Send(&accordv1.WatchRunResponse{Run: heldUp(fromRunStatus(status), why), CohortUnchanged: unchanged})
}
