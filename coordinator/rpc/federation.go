package rpc

import (
	"errors"
	"fmt"
	"io"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// federation serves participants.
type federation struct {
	accordv1.UnimplementedFederationServiceServer
	coordinator Federation
	options     Options
	uploads     *turns   // of large ones
	downloads   *turns   // the same
	anchors     *anchors // nil without certificates
	arrivals    *arrivals
	stopping    <-chan struct{} // closed when the server is to stop
	log         *zap.Logger
}

// Download streams an artefact from an offset on. One that nobody was offered,
// such as another site's update, is not there. One that turns out to be damaged
// ends early, to be asked for again: no byte of it is sent that is not its own.
func (f *federation) Download(r *accordv1.DownloadRequest, stream accordv1.FederationService_DownloadServer) error {
	if !spool.ValidDigest(r.GetDigest()) || !f.coordinator.Offered(r.GetDigest()) {
		return fmt.Errorf("download %.12q: %w", r.GetDigest(), spool.ErrNotFound)
	}
	err := f.download(r, stream)
	if !errors.Is(err, spool.ErrNotFound) {
		return err
	}
	f.log.Error("download of a global model broke off", zap.Error(err))
	if err := f.coordinator.Mend(stream.Context(), r.GetDigest()); err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	return status.Errorf(codes.Unavailable, "artefact %s was damaged and is repaired: ask again", r.GetDigest())
}

func (f *federation) download(r *accordv1.DownloadRequest, stream accordv1.FederationService_DownloadServer) (err error) {
	blob, err := f.coordinator.Spool().Open(r.GetDigest())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	if r.GetOffset() < 0 || r.GetOffset() > blob.Size() {
		return status.Errorf(codes.OutOfRange, "offset %d of an artefact of %d bytes", r.GetOffset(), blob.Size())
	}
	var rest io.Reader = io.NewSectionReader(blob, r.GetOffset(), blob.Size()-r.GetOffset())
	if blob.Size()-r.GetOffset() > exchange.TurnAbove {
		turn, err := f.downloads.take(stream.Context(), callerOf(stream.Context()).identity.Name)
		if err != nil {
			return err
		}
		defer turn.done()
		rest = io.TeeReader(rest, turn)
	}
	return wire.SendChunks(rest, wire.DownloadChunk, stream.SendMsg)
}
