package participant

import (
	"context"
	"io"
	"time"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// blobs keeps artefacts in a spool and fetches from the coordinator what is
// not there.
type blobs struct {
	spool *spool.Spool
	line  *line
}

var _ Blobs = (*blobs)(nil)

// Fetch opens an artefact, downloading it first when needed. While the
// coordinator can not be reached it waits.
func (b *blobs) Fetch(ctx context.Context, a exchange.Artefact) (Blob, error) {
	for {
		if _, ok := b.spool.Has(a.Digest); ok {
			return b.spool.Open(a.Digest)
		}
		client, err := b.line.wait(ctx)
		if err != nil {
			return nil, err
		}
		err = b.download(ctx, client, a)
		if err != nil && !disconnected(err) {
			return nil, err
		}
		if err != nil && !sleep(ctx, time.Second) {
			return nil, ctx.Err()
		}
	}
}

func (b *blobs) download(ctx context.Context, client accordv1.FederationServiceClient, a exchange.Artefact) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when the spool stops reading early
	stream, err := client.Download(ctx, &accordv1.DownloadRequest{Digest: a.Digest})
	if err != nil {
		return err
	}
	_, err = b.spool.Put(wire.ChunkReader(func() ([]byte, error) {
		m, err := stream.Recv()
		return m.GetChunk(), err
	}), a.Digest, a.Bytes)
	return err
}

// Store keeps what write writes in the spool.
func (b *blobs) Store(_ context.Context, write func(io.Writer) error) (exchange.Artefact, error) {
	digest, size, err := b.spool.PutFunc(write)
	return exchange.Artefact{Digest: digest, Bytes: size}, err
}

// sleep waits, and tells whether it did so to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
