package rpc

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// Runs returns how the newest limit runs stand, all with 0, in order of
// submission; with active, only those that have not ended. Each has its newest
// version and no cohort. attending are the names of the participants that attend.
func (c *Client) Runs(ctx context.Context, limit int, active bool) (runs []coordinator.RunStatus, attending []string, err error) {
	request := &accordv1.ListRunsRequest{Active: active}
	for first := true; ; first = false {
		request.Limit = int32(max(0, limit-len(runs)))
		response, err := c.admin.ListRuns(ctx, request)
		if err != nil {
			return nil, nil, c.explain(err)
		}
		if first {
			attending = response.GetAttending()
		}
		for _, r := range slices.Backward(response.GetRuns()) {
			// A coordinator that knows no pages sends all runs, ended ones too.
			if s := toRunStatus(r); !active || !s.Phase.Final() {
				runs = append(runs, s)
			}
		}
		if request.Before = response.GetNext(); request.Before == 0 || limit > 0 && len(runs) >= limit {
			break
		}
	}
	if limit > 0 {
		runs = runs[:min(limit, len(runs))]
	}
	slices.Reverse(runs)
	return runs, attending, nil
}

// Held returns why no run goes on, for people; "": they do, or the coordinator is
// one that does not say.
func (c *Client) Held(ctx context.Context) (string, error) {
	response, err := c.admin.ListRuns(ctx, &accordv1.ListRunsRequest{Limit: 1, Active: true})
	return response.GetHeld(), c.explain(err)
}

// Run returns how one run stands, with the newest of its versions: all of them,
// or at least as many as coordinator.StatusVersions.
func (c *Client) Run(ctx context.Context, name string) (coordinator.RunStatus, error) {
	response, err := c.admin.GetRun(ctx, &accordv1.GetRunRequest{Name: name})
	return toRunStatus(response.GetRun()), c.explain(err)
}

// Versions returns what a run published, in order, after the first so many
// versions.
func (c *Client) Versions(ctx context.Context, run string, after int) ([]round.Version, error) {
	var versions []round.Version
	for {
		response, err := c.admin.ListVersions(ctx, &accordv1.ListVersionsRequest{Run: run, After: int32(after + len(versions))})
		if err != nil {
			return nil, c.explain(err)
		}
		versions = append(versions, toVersions(response.GetVersions())...)
		if !response.GetMore() || len(response.GetVersions()) == 0 {
			return versions, nil
		}
	}
}

// Watch calls each with how the run stands now and after each change, until the
// run has ended or each returns an error, which Watch then returns. The caller
// knows the first since of its versions. A status has all versions that the caller
// does not know and no status had before, and at least the newest.
func (c *Client) Watch(ctx context.Context, name string, since int, each func(coordinator.RunStatus) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when it is left early
	known := int32(since)
	stream, err := c.admin.WatchRun(ctx, &accordv1.WatchRunRequest{Name: name, Since: &known})
	if err != nil {
		return c.explain(err)
	}
	var earlier []round.Version
	var cohort []string
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return c.explain(err)
		}
		if response.GetRun() == nil {
			earlier = append(earlier, toVersions(response.GetEarlier())...)
			continue
		}
		status := toRunStatus(response.GetRun())
		status.Published, earlier = append(earlier, status.Published...), nil
		if response.GetCohortUnchanged() {
			status.Cohort = cohort
		}
		cohort = status.Cohort
		if err := each(status); err != nil {
			return err
		}
	}
}

// Stop ends a run where it is, for the reason given.
func (c *Client) Stop(ctx context.Context, name, reason string) error {
	_, err := c.admin.StopRun(ctx, &accordv1.StopRunRequest{Name: name, Reason: reason})
	return c.explain(err)
}

// Remove removes a run that has ended, with files also what it published. kept
// reports whether that is still there, so that no other run can have the name.
func (c *Client) Remove(ctx context.Context, name string, files bool) (kept bool, err error) {
	response, err := c.admin.RemoveRun(ctx, &accordv1.RemoveRunRequest{Name: name, Files: files})
	return response.GetKept(), c.explain(err)
}
