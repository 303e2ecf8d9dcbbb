package rpc

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/internal/fault"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// What one message holds of what grows.
const (
	runPage     = 500     // runs that are taken from the coordinator at a time
	runBytes    = 2 << 20 // bytes of runs; the rest is for the names of who attends
	versionPage = 1000    // versions
)

// ListRuns returns a page of the runs, and with the first who attends.
func (a *admin) ListRuns(_ context.Context, r *accordv1.ListRunsRequest) (*accordv1.ListRunsResponse, error) {
	if r.GetLimit() < 0 {
		return nil, fault.Inputf("list runs: got limit %d, want 0 or more", r.GetLimit())
	}
	response := &accordv1.ListRunsResponse{Held: a.runs.Held()}
	if r.GetBefore() == 0 {
		response.Attending = a.runs.Attending()
	}
	a.list(r, response)
	slices.Reverse(response.Runs)
	return response, nil
}

// list fills a page, the newest run first.
func (a *admin) list(r *accordv1.ListRunsRequest, response *accordv1.ListRunsResponse) {
	before, bytes, take := r.GetBefore(), 0, runPage
	if limit := int(r.GetLimit()); limit > 0 && limit < runPage {
		take = limit + 1 // one more reports whether there is another page
	}
	for {
		entries := a.runs.List(before, take, r.GetActive())
		for _, e := range entries {
			run := a.status(coordinator.Summary(e.State))
			bytes += proto.Size(run)
			count := len(response.GetRuns())
			if r.GetLimit() > 0 && count == int(r.GetLimit()) || count > 0 && bytes > runBytes {
				response.Next = before
				return
			}
			response.Runs = append(response.Runs, run)
			before = e.Number
		}
		if len(entries) < take {
			return
		}
	}
}

// GetRun returns how one run stands, with its newest versions.
func (a *admin) GetRun(_ context.Context, r *accordv1.GetRunRequest) (*accordv1.GetRunResponse, error) {
	s, err := a.runs.State(r.GetName())
	if err != nil {
		return nil, err
	}
	return &accordv1.GetRunResponse{Run: a.status(coordinator.Describe(s))}, nil
}

// ListVersions returns a page of a run's versions.
func (a *admin) ListVersions(_ context.Context, r *accordv1.ListVersionsRequest) (*accordv1.ListVersionsResponse, error) {
	after, limit := int(r.GetAfter()), int(r.GetLimit())
	if after < 0 || limit < 0 {
		return nil, fault.Inputf("list versions: got after %d and limit %d, want 0 or more", after, limit)
	}
	s, err := a.runs.State(r.GetRun())
	if err != nil {
		return nil, err
	}
	if limit == 0 || limit > versionPage {
		limit = versionPage
	}
	versions := s.Published.Since(after, limit)
	return &accordv1.ListVersionsResponse{
		Versions: fromVersions(versions),
		More:     after+len(versions) < s.Published.Len(),
	}, nil
}

// RemoveRun removes a run that has ended.
func (a *admin) RemoveRun(ctx context.Context, r *accordv1.RemoveRunRequest) (*accordv1.RemoveRunResponse, error) {
	kept, err := a.runs.Remove(ctx, r.GetName(), callerOf(ctx).identity.Name, r.GetFiles())
	if err != nil {
		return nil, err
	}
	return &accordv1.RemoveRunResponse{Kept: kept}, nil
}
