package crowd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// models holds the global model that was offered last.
type models struct {
	receivers sync.Pool // of *wire.Incoming

	mu   sync.Mutex
	last *global
}

// global is a global model, of which the crowd keeps one copy. It is what all
// downloads have brought together: whichever is ahead adds to it, and the others
// are compared with it.
type global struct {
	exchange.Artefact
	settle func() error // check, once

	mu   sync.Mutex
	data []byte
	come int // bytes of data that are there, and stay as they are

	prefix hash.Cloner // SHA-256 of data without its tail; set by check
}

// tail is how many bytes of an update are its own: the last two weights.
const tail = 8

// get returns what the crowd has of a model.
func (m *models) get(a exchange.Artefact) *global {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last == nil || m.last.Artefact != a {
		m.last = &global{Artefact: a, data: make([]byte, a.Bytes)}
		m.last.settle = sync.OnceValue(m.last.check)
	}
	return m.last
}

// download receives all of a model, and fails unless it is what its digest says.
func (m *models) download(ctx context.Context, client accordv1.FederationServiceClient, a exchange.Artefact) (*global, error) {
	stream, err := client.Download(ctx, &accordv1.DownloadRequest{Digest: a.Digest})
	if err != nil {
		return nil, err
	}
	in, ok := m.receivers.Get().(*wire.Incoming)
	if !ok {
		in = &wire.Incoming{Message: &accordv1.DownloadResponse{}, Field: wire.DownloadChunk}
	}
	defer m.receivers.Put(in)
	defer in.Close()
	g := m.get(a)
	for at := 0; ; at += len(in.Chunk()) {
		err := stream.RecvMsg(in)
		if errors.Is(err, io.EOF) && int64(at) != a.Bytes {
			return nil, fmt.Errorf("%d bytes came, want %d", at, a.Bytes)
		}
		if errors.Is(err, io.EOF) {
			return g, g.settle()
		}
		if err != nil {
			return nil, err
		}
		if err := g.take(at, in.Chunk()); err != nil {
			return nil, err
		}
	}
}

// take compares what a download has brought, from byte at on, with what others
// have, and keeps what is new.
func (g *global) take(at int, chunk []byte) error {
	if len(chunk) > len(g.data)-at {
		return fmt.Errorf("more than %d bytes came", len(g.data))
	}
	g.mu.Lock()
	if known := g.come - at; known < len(chunk) { // and not below 0: the download has added what came before
		g.come += copy(g.data[g.come:], chunk[known:])
	}
	g.mu.Unlock()
	if !bytes.Equal(chunk, g.data[at:at+len(chunk)]) {
		return fmt.Errorf("bytes %d to %d are not those of another download", at, at+len(chunk))
	}
	return nil
}

// check makes sure that the bytes are those of the digest, and gets ready for
// updates.
func (g *global) check() error {
	if len(g.data) < tail {
		return fmt.Errorf("a model of %d bytes has no two weights", len(g.data))
	}
	prefix, ok := sha256.New().(hash.Cloner)
	if !ok {
		return errors.New("this SHA-256 cannot be cloned")
	}
	prefix.Write(g.data[:len(g.data)-tail])
	whole, err := digest(prefix, g.data[len(g.data)-tail:])
	if err == nil && whole != g.Digest {
		err = fmt.Errorf("the bytes of model %.12s have another digest: %.12s", g.Digest, whole)
	}
	g.prefix = prefix
	return err
}

// digest returns the digest of what prefix has hashed and tail behind it.
func digest(prefix hash.Cloner, tail []byte) (string, error) {
	h, err := prefix.Clone()
	if err != nil {
		return "", err
	}
	h.Write(tail)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// update is what a site answers: the global model but for its tail.
type update struct {
	exchange.Artefact
	of   *global
	tail []byte
}

// update makes a task's update. The coordinator stores equal ones once, and
// those of real sites are never equal, so the tail has 46 bits of the task's own,
// as the fractions of two numbers of about 2⁻¹¹.
func (g *global) update(task string) (update, error) {
	const exponent, fraction = 0x3a000000, 1<<23 - 1
	sum := sha256.Sum256([]byte(task))
	u := update{Artefact: exchange.Artefact{Bytes: g.Bytes}, of: g}
	for i := range tail / 4 {
		own := binary.LittleEndian.Uint32(sum[4*i:])
		u.tail = binary.LittleEndian.AppendUint32(u.tail, exponent|own&fraction)
	}
	var err error
	u.Digest, err = digest(g.prefix, u.tail)
	return u, err
}

// upload sends the update, the task's.
func (u update) upload(ctx context.Context, client accordv1.FederationServiceClient, participant, task string) error {
	stream, err := client.Upload(ctx)
	if err != nil {
		return err
	}
	header := &accordv1.UploadHeader{Participant: participant, Task: task, Digest: u.Digest, Size: u.Bytes}
	err = stream.Send(&accordv1.UploadRequest{Part: &accordv1.UploadRequest_Header{Header: header}})
	if err == nil {
		rest := io.MultiReader(bytes.NewReader(u.of.data[:len(u.of.data)-tail]), bytes.NewReader(u.tail))
		err = wire.SendChunks(rest, wire.UploadChunk, stream.SendMsg)
	}
	if err != nil && !errors.Is(err, io.EOF) { // io.EOF: CloseAndRecv tells why
		return err
	}
	_, err = stream.CloseAndRecv()
	return err
}
