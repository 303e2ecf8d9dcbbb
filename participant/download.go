package participant

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/spool"
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
// coordinator can not be reached it waits; what came of a download that broke
// off need not come again.
func (b *blobs) Fetch(ctx context.Context, a exchange.Artefact) (Blob, error) {
	retry := newRetry()
	for {
		if _, ok := b.spool.Has(a.Digest); ok {
			return b.spool.Open(a.Digest)
		}
		client, err := b.line.wait(ctx)
		if err != nil {
			return nil, err
		}
		err = b.download(ctx, client, a)
		if err != nil && !disconnected(err) && !errors.Is(err, errStale) {
			return nil, err
		}
		if err != nil && !sleep(ctx, retry.NextBackOff()) {
			return nil, ctx.Err()
		}
	}
}

// errStale tells that a download did not fit what had come before.
var errStale = errors.New("what had been downloaded before was not part of it")

func (b *blobs) download(ctx context.Context, client accordv1.FederationServiceClient, a exchange.Artefact) (err error) {
	p, err := b.spool.Resume(partialOf(a.Digest), a.Bytes)
	if errors.Is(err, spool.ErrExists) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	offset := p.Offset()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when it is left early
	stream, err := client.Download(ctx, &accordv1.DownloadRequest{Digest: a.Digest, Offset: offset})
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if _, err := p.Write(m.GetChunk()); err != nil {
			return err
		}
	}
	if err = p.Finish(); errors.Is(err, spool.ErrDigest) && offset > 0 {
		return errStale
	}
	return err
}

// partialOf names what has come of a download.
func partialOf(digest string) spool.Key { return spool.Key{Digest: digest, Task: digest} }

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
