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
	spool    *spool.Spool
	line     *line
	patience *patience
	room     room
}

var _ Blobs = (*blobs)(nil)

// smallest is how many bytes an artefact has that is worth a file. A smaller one
// stays in memory, and comes again when its download breaks off.
const smallest = 1 << 20

// Fetch opens an artefact, downloading it first when needed: when it is not there,
// or no longer as it was. While the coordinator cannot be reached, or the disk
// fails, it waits; what came of a download that broke off need not come again. When
// the disk has too little room, for training too, the error is a *policy.Refusal
// for now. Of a download that fails for good nothing stays.
func (b *blobs) Fetch(ctx context.Context, a exchange.Artefact) (_ Blob, err error) {
	defer func() {
		if err != nil && ctx.Err() == nil {
			err = errors.Join(err, b.spool.SweepPartials(nil))
		}
	}()
	retry := newRetry()
	for {
		if err := b.room.allow(b.missing(a), a.Bytes); err != nil {
			return nil, err
		}
		blob, err := b.open(ctx, a.Digest)
		if err == nil || !errors.Is(err, spool.ErrNotFound) {
			return blob, err
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
			err = b.patience.retry(ctx, func() error { return b.download(ctx, client, a) })
		}
		if err != nil && !disconnected(err) && !errors.Is(err, errStale) {
			return nil, err
		}
		if err != nil && !sleep(ctx, retry.NextBackOff()) {
			return nil, ctx.Err()
		}
	}
}

// open opens an artefact that is there.
func (b *blobs) open(ctx context.Context, digest string) (Blob, error) {
	var blob *spool.Blob
	err := b.patience.retry(ctx, func() (err error) {
		blob, err = b.spool.Open(digest)
		return err
	})
	if err != nil {
		return nil, err // not blob: a nil *spool.Blob is not a nil Blob
	}
	return blob, nil
}

// missing is how many bytes of an artefact the disk still has to take.
func (b *blobs) missing(a exchange.Artefact) int64 {
	if a.Bytes < smallest {
		return 0
	}
	return max(0, a.Bytes-b.spool.Arrived(partialOf(a.Digest)))
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

// lookEvery is how many bytes of a download come between two looks at the room
// on the disk.
const lookEvery = 8 << 20

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
	looked := offset
	err = receive(ctx, client, &accordv1.DownloadRequest{Digest: a.Digest, Offset: offset}, func(chunk []byte) error {
		if at := p.Offset(); at-looked >= lookEvery {
			looked = at
			if err := b.room.allow(a.Bytes-at, a.Bytes); err != nil {
				return err
			}
		}
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

// Store keeps what write writes in the spool. While the disk fails it waits.
func (b *blobs) Store(ctx context.Context, write func(io.Writer) error) (a exchange.Artefact, err error) {
	err = b.patience.retry(ctx, func() (err error) {
		a.Digest, a.Bytes, err = b.spool.PutFunc(write)
		return err
	})
	return a, err
}

// sleep waits, and reports whether it did so to the end.
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
