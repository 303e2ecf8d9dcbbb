package participant

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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

// smallest is how many bytes an artefact has that is worth a file. A smaller one
// stays in memory, and comes again when its download breaks off.
const smallest = 1 << 20

// Fetch opens an artefact, downloading it first when needed: when it is not there,
// or no longer as it was. While the coordinator can not be reached it waits; what
// came of a download that broke off need not come again.
func (b *blobs) Fetch(ctx context.Context, a exchange.Artefact) (Blob, error) {
	retry := newRetry()
	for {
		kept, err := b.spool.Open(a.Digest)
		if err == nil {
			return kept, nil
		}
		if !errors.Is(err, spool.ErrNotFound) {
			return nil, err
		}
		client, err := b.line.wait(ctx)
		if err != nil {
			return nil, err
		}
		if a.Bytes < smallest {
			var blob Blob
			if blob, err = read(ctx, client, a); err == nil {
				return blob, nil
			}
		} else {
			err = b.download(ctx, client, a)
		}
		if err != nil && !disconnected(err) && !errors.Is(err, errStale) {
			return nil, err
		}
		if err != nil && !sleep(ctx, retry.NextBackOff()) {
			return nil, ctx.Err()
		}
	}
}

// inMemory is a Blob that has no file.
type inMemory struct{ *bytes.Reader }

// Close implements Blob.
func (inMemory) Close() error { return nil }

// read downloads a small artefact into memory.
func read(ctx context.Context, client accordv1.FederationServiceClient, a exchange.Artefact) (Blob, error) {
	data := bytes.NewBuffer(make([]byte, 0, a.Bytes))
	err := receive(ctx, client, &accordv1.DownloadRequest{Digest: a.Digest}, func(chunk []byte) error {
		if int64(data.Len()+len(chunk)) > a.Bytes {
			return spool.ErrTooLarge
		}
		data.Write(chunk)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data.Bytes()); hex.EncodeToString(sum[:]) != a.Digest {
		return nil, fmt.Errorf("download %.12s: %w", a.Digest, spool.ErrDigest)
	}
	return inMemory{bytes.NewReader(data.Bytes())}, nil
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
	err = receive(ctx, client, &accordv1.DownloadRequest{Digest: a.Digest, Offset: offset}, func(chunk []byte) error {
		_, err := p.Write(chunk)
		return err
	})
	if err != nil {
		return err
	}
	if err = p.Finish(); errors.Is(err, spool.ErrDigest) && offset > 0 {
		return errStale
	}
	return err
}

// receive passes the bytes that r asks for on to take, which may keep nothing of
// its argument.
func receive(ctx context.Context, client accordv1.FederationServiceClient, r *accordv1.DownloadRequest, take func(chunk []byte) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when it is left early
	stream, err := client.Download(ctx, r)
	if err != nil {
		return err
	}
	in := &wire.Incoming{Message: &accordv1.DownloadResponse{}, Field: wire.DownloadChunk}
	defer in.Close()
	for {
		err := stream.RecvMsg(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := take(in.Chunk()); err != nil {
			return err
		}
	}
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
