package participant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// maxUploads is how often an upload is begun in one session. The next session
// goes on where it ended.
const maxUploads = 5

// uploadAgain is how long, at most, an upload waits for a coordinator whose disk is
// full.
const uploadAgain = 5 * time.Second

// newRetry returns the pauses between tries of one transfer, longer and
// longer and never quite the same.
func newRetry() *backoff.ExponentialBackOff {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.Multiplier, retry.MaxInterval = time.Second, 2, maxRetry
	return retry
}

// upload brings the reply's artefacts to the coordinator.
func (s *session) upload(ctx context.Context, r exchange.Reply) error {
	if r.Update == nil {
		return nil
	}
	for _, a := range r.Update.Artefacts {
		if err := s.uploadOne(ctx, r.Task, a); err != nil {
			return err
		}
	}
	return nil
}

// uploadOne brings one artefact to the coordinator, in several tries when one
// breaks off.
func (s *session) uploadOne(ctx context.Context, task string, a exchange.Artefact) error {
	blob, err := s.state.spool.Open(a.Digest)
	if err != nil {
		return err
	}
	defer blob.Close() // only read from
	header := &accordv1.UploadHeader{Participant: s.options.Name, Task: task, Digest: a.Digest, Size: a.Bytes}
	retry := newRetry()
	var said time.Time // when the log said that the coordinator's disk is full
	for try := 1; ; try++ {
		err := s.tryUpload(ctx, header, blob, try > 1 || blob.Size() > exchange.TurnAbove)
		if status.Convert(err).Message() == wire.DiskFull && ctx.Err() == nil {
			// As long as this session lives, another would find the disk no better.
			if time.Since(said) >= repeatAfter {
				said = time.Now()
				s.log.Warn("waiting for the coordinator's disk", zap.String("task", task), zap.String("reason", plain(err)))
			}
			if !sleep(ctx, min(retry.NextBackOff(), uploadAgain)) {
				return ctx.Err()
			}
			try = 1 // and ask what is there
			continue
		}
		if errors.Is(err, spool.ErrDamaged) {
			return err
		}
		switch status.Code(err) {
		case codes.FailedPrecondition, codes.NotFound:
			return nil // nobody waits for it any more; the receipt will say so
		case codes.InvalidArgument:
			return &refusedUpdate{errors.New(plain(err))}
		}
		if err == nil || ctx.Err() != nil || try == maxUploads || errors.Is(err, spool.ErrNotFound) {
			return err
		}
		wait := retry.NextBackOff()
		s.log.Warn("upload broke off", zap.String("task", task), zap.Duration("next_try", wait), zap.String("reason", plain(err)))
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// tryUpload sends what the coordinator does not have yet of the blob; all of it,
// without ask.
func (s *session) tryUpload(ctx context.Context, h *accordv1.UploadHeader, blob *spool.Blob, ask bool) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when it is left early
	if ask {
		if h.Offset, err = s.arrived(ctx, h); err != nil {
			return err
		}
	}
	if h.GetOffset() > 0 && h.GetOffset() < blob.Size() {
		s.log.Debug("upload goes on", zap.String("task", h.GetTask()), zap.Int64("offset", h.GetOffset()), zap.Int64("bytes", blob.Size()))
	}
	stream, err := s.client.Upload(ctx)
	if err != nil {
		return err
	}
	err = s.sendArtefact(stream, h, blob)
	if err != nil && !errors.Is(err, io.EOF) { // io.EOF: the coordinator has answered before the end
		return err
	}
	_, err = stream.CloseAndRecv()
	return err
}

// arrived asks how much of an upload the coordinator has.
func (s *session) arrived(ctx context.Context, h *accordv1.UploadHeader) (int64, error) {
	there, err := s.client.ResumeUpload(ctx, &accordv1.ResumeUploadRequest{Header: h})
	switch offset := there.GetOffset(); {
	case status.Code(err) == codes.Unimplemented: // an older coordinator: from the beginning
		return 0, nil
	case err != nil:
		return 0, err
	case offset < 0 || offset > h.GetSize():
		return 0, fmt.Errorf("the coordinator has %d bytes of an artefact of %d", offset, h.GetSize())
	default:
		return offset, nil
	}
}

// sendArtefact sends a header and then, a large one when it is its turn, the blob
// from the header's offset on.
// Its error is io.EOF when the other side has ended the stream; CloseAndRecv
// then tells how.
func (s *session) sendArtefact(stream accordv1.FederationService_UploadClient, h *accordv1.UploadHeader, blob *spool.Blob) error {
	if err := stream.Send(&accordv1.UploadRequest{Part: &accordv1.UploadRequest_Header{Header: h}}); err != nil {
		return err
	}
	if s.granted.turns && h.GetSize() > exchange.TurnAbove {
		if _, err := stream.Header(); err != nil {
			return io.EOF // CloseAndRecv tells why
		}
	}
	rest := io.NewSectionReader(blob, h.GetOffset(), blob.Size()-h.GetOffset())
	return wire.SendChunks(rest, wire.UploadChunk, stream.SendMsg)
}
