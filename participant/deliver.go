package participant

import (
	"context"
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

// deliver uploads the artefacts of every reply in the outbox and hands the
// reply on to be sent, each once a session. It returns when the session ends.
func (s *session) deliver(streaming context.Context) error {
	sent := map[string]bool{}
	for {
		for _, r := range s.state.outbox.all() {
			if sent[r.Task] {
				continue
			}
			if err := s.upload(streaming, r); err != nil {
				if err := s.giveUp(r, err); err != nil {
					return err
				}
				continue // the outbox now holds another reply to the task
			}
			select {
			case s.outgoing <- r:
				sent[r.Task] = true
			case <-streaming.Done():
				return streaming.Err()
			}
		}
		select {
		case <-s.state.outbox.changed:
		case <-streaming.Done():
			return streaming.Err()
		}
	}
}

// giveUp answers a task with failure when its update can never be uploaded.
// It returns err when the next session may do better.
func (s *session) giveUp(r exchange.Reply, err error) error {
	var lost *lostUpdate
	if !errors.As(err, &lost) {
		return fmt.Errorf("upload the update for %s: %w", r.Task, err)
	}
	s.log.Error("update lost", zap.String("task", r.Task), zap.Error(err))
	return s.state.outbox.put(exchange.Reply{Task: r.Task, Outcome: exchange.Failed, Reason: reason(err)})
}

// lostUpdate is an update that no repetition brings to the coordinator.
type lostUpdate struct{ err error }

func (l *lostUpdate) Error() string { return "the update can not be uploaded: " + l.err.Error() }
func (l *lostUpdate) Unwrap() error { return l.err }

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

func (s *session) uploadOne(ctx context.Context, task string, a exchange.Artefact) error {
	blob, err := s.state.spool.Open(a.Digest)
	if errors.Is(err, spool.ErrNotFound) {
		return &lostUpdate{err}
	}
	if err != nil {
		return err
	}
	defer blob.Close() // only read from

	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when it is left early
	stream, err := s.client.Upload(ctx)
	if err != nil {
		return err
	}
	err = sendArtefact(stream, &accordv1.UploadHeader{Participant: s.options.Name, Task: task, Digest: a.Digest, Size: a.Bytes}, blob)
	if err != nil && !errors.Is(err, io.EOF) { // io.EOF: the coordinator has answered before the end
		return err
	}
	_, err = stream.CloseAndRecv()
	switch status.Code(err) {
	case codes.FailedPrecondition, codes.NotFound:
		return nil // nobody waits for it any more; the receipt will say so
	case codes.InvalidArgument:
		return &lostUpdate{errors.New(plain(err))}
	}
	return err
}

// sendArtefact sends a header and then the blob. Its error is io.EOF when the
// other side has ended the stream; CloseAndRecv then tells how.
func sendArtefact(stream accordv1.FederationService_UploadClient, h *accordv1.UploadHeader, blob *spool.Blob) error {
	if err := stream.Send(&accordv1.UploadRequest{Part: &accordv1.UploadRequest_Header{Header: h}}); err != nil {
		return err
	}
	return wire.SendChunks(io.NewSectionReader(blob, 0, blob.Size()), func(chunk []byte) error {
		return stream.Send(&accordv1.UploadRequest{Part: &accordv1.UploadRequest_Chunk{Chunk: chunk}})
	})
}
