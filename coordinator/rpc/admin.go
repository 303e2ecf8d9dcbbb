package rpc

import (
	"context"
	"errors"

	"go.uber.org/zap"

	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// admin serves those who steer runs.
type admin struct {
	accordv1.UnimplementedAdminServiceServer
	runs     Runs
	options  Options
	refusals *refusals
	anchors  *anchors        // nil without certificates
	stopping <-chan struct{} // closed when the server is to stop
	log      *zap.Logger
}

// StopRun ends a run where it is.
func (a *admin) StopRun(ctx context.Context, r *accordv1.StopRunRequest) (*accordv1.StopRunResponse, error) {
	reason := bounded(r.GetReason())
	if by := callerOf(ctx).identity.Name; by != "" {
		reason += " (" + by + ")"
	}
	if err := a.runs.Stop(ctx, r.GetName(), reason); err != nil {
		return nil, err
	}
	return &accordv1.StopRunResponse{}, nil
}

// SubmitRun queues a run.
func (a *admin) SubmitRun(stream accordv1.AdminService_SubmitRunServer) error {
	run, initial, err := a.options.scratch().receiveSubmission(stream)
	if err != nil {
		return err
	}
	submission, err := a.prepare(run, initial)
	if err == nil {
		err = a.submit(stream.Context(), submission)
	}
	if err := errors.Join(err, initial.remove()); err != nil {
		return err
	}
	a.log.Info("run accepted", zap.String("run", submission.Definition.Name), zap.String("by", callerOf(stream.Context()).identity.Name))
	return stream.SendAndClose(&accordv1.SubmitRunResponse{Name: submission.Definition.Name, Note: submission.Note})
}

func (a *admin) prepare(run []byte, initial *upload) (Submission, error) {
	if initial == nil {
		return a.options.Prepare(run, nil, 0)
	}
	return a.options.Prepare(run, initial, initial.size)
}

func (a *admin) submit(ctx context.Context, s Submission) error {
	if s.Initial == nil {
		return a.runs.Submit(ctx, s.Definition, nil, 0)
	}
	initial, err := a.options.scratch().encode(s.Initial)
	if err != nil {
		return err
	}
	return errors.Join(a.runs.Submit(ctx, s.Definition, initial, initial.size), initial.remove())
}
