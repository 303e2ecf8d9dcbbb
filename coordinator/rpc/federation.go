package rpc

import (
	"errors"
	"io"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// federation serves participants.
type federation struct {
	accordv1.UnimplementedFederationServiceServer
	coordinator Federation
	options     Options
	stopping    <-chan struct{} // closed when the server is to stop
	log         *zap.Logger
}

// Download streams an artefact from an offset on.
func (f *federation) Download(r *accordv1.DownloadRequest, stream accordv1.FederationService_DownloadServer) (err error) {
	blob, err := f.coordinator.Spool().Open(r.GetDigest())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	if r.GetOffset() < 0 || r.GetOffset() > blob.Size() {
		return status.Errorf(codes.OutOfRange, "offset %d of an artefact of %d bytes", r.GetOffset(), blob.Size())
	}
	rest := io.NewSectionReader(blob, r.GetOffset(), blob.Size()-r.GetOffset())
	return wire.SendChunks(rest, func(chunk []byte) error {
		return stream.Send(&accordv1.DownloadResponse{Chunk: chunk})
	})
}

// Upload stores an artefact that a run may need; its bytes must have the
// digest that its header names.
func (f *federation) Upload(stream accordv1.FederationService_UploadServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	h := first.GetHeader()
	if h == nil {
		return fault.Inputf("the first message of an upload must be its header, got %T", first.GetPart())
	}
	if err := speaksAs(stream.Context(), h.GetParticipant()); err != nil {
		return err
	}
	if err := f.store(h, stream); err != nil {
		return err
	}
	return stream.SendAndClose(&accordv1.UploadResponse{})
}

func (f *federation) store(h *accordv1.UploadHeader, stream accordv1.FederationService_UploadServer) error {
	limit := f.coordinator.MaxArtefact()
	switch {
	case !exchange.ValidName(h.GetParticipant()):
		return fault.Inputf("upload: participant name %.80q is not valid", h.GetParticipant())
	case !spool.ValidDigest(h.GetDigest()):
		return fault.Inputf("upload: %.80q is not a digest", h.GetDigest())
	case limit == 0:
		return status.Error(codes.FailedPrecondition, "no run is open that could need an artefact")
	case h.GetSize() > limit:
		return fault.Inputf("upload: %d bytes announced, at most %d are allowed", h.GetSize(), limit)
	}
	_, err := f.coordinator.Spool().Put(wire.ChunkReader(func() ([]byte, error) {
		m, err := stream.Recv()
		if err == nil && m.GetHeader() != nil {
			err = fault.Inputf("upload: a second header")
		}
		return m.GetChunk(), err
	}), h.GetDigest(), limit)
	return err
}
