package rpc

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// ResumeUpload tells how much of an upload need not come again.
func (f *federation) ResumeUpload(ctx context.Context, r *accordv1.ResumeUploadRequest) (*accordv1.ResumeUploadResponse, error) {
	h := r.GetHeader()
	if err := f.admit(ctx, h); err != nil {
		return nil, err
	}
	return &accordv1.ResumeUploadResponse{Offset: min(f.coordinator.Spool().Arrived(keyOf(h)), h.GetSize())}, nil
}

// Upload stores an artefact that a task's answer will name; its bytes must
// have the digest that its header names. What came of an upload that breaks
// off stays, for the next one.
func (f *federation) Upload(stream accordv1.FederationService_UploadServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	h := first.GetHeader()
	if h == nil {
		return fault.Inputf("the first message of an upload must be its header, got %T", first.GetPart())
	}
	if err := f.store(h, stream); err != nil {
		return err
	}
	return stream.SendAndClose(&accordv1.UploadResponse{})
}

// admit reports whether an upload may be.
func (f *federation) admit(ctx context.Context, h *accordv1.UploadHeader) error {
	if !exchange.ValidName(h.GetParticipant()) {
		return fault.Inputf("upload: participant name %.80q is not valid", h.GetParticipant())
	}
	if err := speaksAs(ctx, h.GetParticipant()); err != nil {
		return err
	}
	limit := f.coordinator.Awaits(h.GetParticipant(), h.GetTask())
	switch {
	case !spool.ValidDigest(h.GetDigest()):
		return fault.Inputf("upload: %.80q is not a digest", h.GetDigest())
	case limit == 0:
		return status.Errorf(codes.FailedPrecondition, "no artefact of task %.80q is awaited", h.GetTask())
	case h.GetSize() <= 0 || h.GetSize() > limit:
		return fault.Inputf("upload: %d bytes announced, at least 1 and at most %d are allowed", h.GetSize(), limit)
	}
	return nil
}

func keyOf(h *accordv1.UploadHeader) spool.Key {
	return spool.Key{Digest: h.GetDigest(), Owner: h.GetParticipant(), Task: h.GetTask()}
}

func (f *federation) store(h *accordv1.UploadHeader, stream accordv1.FederationService_UploadServer) (err error) {
	if err := f.admit(stream.Context(), h); err != nil {
		return err
	}
	p, err := f.coordinator.Spool().Resume(keyOf(h), h.GetSize())
	if errors.Is(err, spool.ErrExists) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() {
		if closed := p.Close(); err == nil { // err may carry a status, which joining would blur
			err = closed
		}
	}()
	resumed := p.Offset()
	// Another upload may have brought more since this one asked.
	again := resumed - h.GetOffset()
	if h.GetOffset() < 0 || again < 0 {
		return status.Errorf(codes.Unavailable, "upload: goes on at byte %d, only %d are there: ask again", h.GetOffset(), resumed)
	}
	if err := f.inTurn(h, p, again, stream); err != nil {
		return err
	}
	err = p.Finish()
	if err == nil {
		f.coordinator.Stored(h.GetTask(), h.GetDigest())
	}
	if errors.Is(err, spool.ErrDigest) && resumed > 0 {
		return status.Errorf(codes.Unavailable, "upload: what was there before did not fit: begin again")
	}
	return err
}

// inTurn receives an upload; a large one when it is its turn, which its sender
// may wait for.
func (f *federation) inTurn(h *accordv1.UploadHeader, w io.Writer, skip int64, stream accordv1.FederationService_UploadServer) error {
	if h.GetSize() <= exchange.TurnAbove {
		return receive(w, skip, stream)
	}
	turn, err := f.uploads.take(stream.Context(), h.GetParticipant())
	if err != nil {
		return err
	}
	defer turn.done()
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	return receive(io.MultiWriter(w, turn), skip, stream)
}

// receive writes the chunks that come to w, without the first skip bytes.
func receive(w io.Writer, skip int64, stream accordv1.FederationService_UploadServer) error {
	message := &accordv1.UploadRequest{}
	in := &wire.Incoming{Message: message, Field: wire.UploadChunk}
	defer in.Close()
	for {
		err := stream.RecvMsg(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if message.GetHeader() != nil {
			return fault.Inputf("upload: a second header")
		}
		chunk := in.Chunk()
		again := min(skip, int64(len(chunk)))
		skip -= again
		if _, err := w.Write(chunk[again:]); err != nil {
			return err
		}
	}
}
