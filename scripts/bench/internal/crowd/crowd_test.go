package crowd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// fake is a coordinator that offers each site that comes two tasks, the second
// once that it has the answer to the first, and then rejects both.
type fake struct {
	accordv1.UnimplementedFederationServiceServer
	accordv1.UnimplementedEnrollmentServiceServer
	model []byte
	sends []byte // as the model; nil: that

	mu      sync.Mutex
	uploads map[string][]byte // by digest
	replies []exchange.Reply
	roots   int
}

func (f *fake) artefact() exchange.Artefact {
	return exchange.Artefact{Digest: digestOf(f.model), Bytes: int64(len(f.model))}
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func (f *fake) Attend(stream accordv1.FederationService_AttendServer) error {
	m, err := stream.Recv()
	if err != nil {
		return err
	}
	name := m.GetHello().GetName()
	welcome := &accordv1.Welcome{Protocol: exchange.Protocol, Lease: durationpb.New(30 * time.Millisecond)}
	if err := stream.Send(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Welcome{Welcome: welcome}}); err != nil {
		return err
	}
	for _, task := range []string{"r/1.0/train/" + name, "r/2.0/train/" + name} {
		payload, err := json.Marshal(exchange.Task{ID: task, Model: f.artefact()})
		if err != nil {
			return err
		}
		offer := &accordv1.Offer{Task: task, Exchange: exchange.Training, Payload: payload}
		if err := stream.Send(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Offer{Offer: offer}}); err != nil {
			return err
		}
		if err := f.listen(stream); err != nil {
			return err
		}
	}
	receipt := wire.FromReceipt(exchange.Receipt{Task: "r/2.0/train/" + name, Verdict: exchange.Rejected, Reason: "too late in the day"})
	if err := stream.Send(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Receipt{Receipt: receipt}}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

// listen waits for a renewal of the lease and a reply.
func (f *fake) listen(stream accordv1.FederationService_AttendServer) error {
	for renewed, replied := false, false; !renewed || !replied; {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		if m.GetReply() == nil {
			renewed = renewed || m.GetRenewal() != nil
			continue
		}
		var r exchange.Reply
		if err := json.Unmarshal(m.GetReply().GetPayload(), &r); err != nil {
			return err
		}
		f.mu.Lock()
		f.replies = append(f.replies, r)
		f.mu.Unlock()
		replied = true
	}
	return nil
}

func (f *fake) Renew(context.Context, *accordv1.RenewRequest) (*accordv1.RenewResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.roots++
	return &accordv1.RenewResponse{}, nil
}

func (f *fake) Download(_ *accordv1.DownloadRequest, stream accordv1.FederationService_DownloadServer) error {
	data := f.model
	if f.sends != nil {
		data = f.sends
	}
	return wire.SendChunks(bytes.NewReader(data), wire.DownloadChunk, stream.SendMsg)
}

func (f *fake) Upload(stream accordv1.FederationService_UploadServer) error {
	var data []byte
	var header *accordv1.UploadHeader
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if m.GetHeader() != nil {
			header = m.GetHeader()
		}
		data = append(data, m.GetChunk()...)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.uploads[header.GetDigest()] = data
	return stream.SendAndClose(&accordv1.UploadResponse{})
}

// attend has so many sites attend f and returns how their attendances ended.
func attend(t *testing.T, f *fake, sites int) []error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.uploads = map[string][]byte{}
	server := grpc.NewServer()
	accordv1.RegisterFederationServiceServer(server, f)
	accordv1.RegisterEnrollmentServiceServer(server, f)
	go func() { _ = server.Serve(l) }()
	defer server.Stop()

	shared := &models{}
	ended := make([]error, sites)
	var all sync.WaitGroup
	for i := range sites {
		all.Go(func() {
			conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				ended[i] = err
				return
			}
			s := &site{name: string(rune('a' + i)), models: shared, log: zap.NewNop()}
			ended[i] = errors.Join(s.attendOver(t.Context(), conn, func() {}), conn.Close())
		})
	}
	all.Wait()
	return ended
}

// Each task is answered with an update of its own, whose bytes are what its
// digest says, and a rejection ends the attendance.
func TestAttendance(t *testing.T) {
	const sites = 5
	f := &fake{model: bytes.Repeat([]byte("model"), 50_000)}
	for _, err := range attend(t, f, sites) {
		if err == nil || !strings.Contains(err.Error(), "too late in the day") {
			t.Errorf("an attendance ended with %v", err)
		}
	}
	if f.roots != sites || len(f.replies) != 2*sites || len(f.uploads) != 2*sites {
		t.Errorf("%d sites asked for roots, there are %d replies and %d uploads", f.roots, len(f.replies), len(f.uploads))
	}
	for _, r := range f.replies {
		if err := r.Validate(); err != nil {
			t.Error(err)
			continue
		}
		delta := r.Update.Artefacts[exchange.Delta]
		data := f.uploads[delta.Digest]
		if digestOf(data) != delta.Digest || int64(len(data)) != delta.Bytes || r.Update.Base != f.artefact().Digest {
			t.Errorf("reply %+v came with %d bytes of digest %.12s", r, len(data), digestOf(data))
		}
	}
}

// A download that is not what the task names ends the attendance.
func TestBadDownloads(t *testing.T) {
	model := bytes.Repeat([]byte("model"), 50_000)
	for name, sends := range map[string][]byte{
		"too short": model[1:],
		"too long":  append(slices.Clone(model), 0),
		"another":   append([]byte{0}, model[1:]...),
	} {
		f := &fake{model: model, sends: sends}
		if err := attend(t, f, 1)[0]; err == nil || !strings.Contains(err.Error(), "download") || len(f.uploads) > 0 {
			t.Errorf("%s: ended with %v, after %d uploads", name, err, len(f.uploads))
		}
	}
}

// Those who are behind are compared with those who are ahead.
func TestDownloadsAreCompared(t *testing.T) {
	g := (&models{}).get(exchange.Artefact{Digest: digestOf([]byte("abcdefgh")), Bytes: 8})
	if err := errors.Join(g.take(0, []byte("abcde")), g.take(0, []byte("abc")), g.take(3, []byte("defgh")), g.take(5, []byte("fgh"))); err != nil {
		t.Fatal(err)
	}
	if err := g.take(2, []byte("cdX")); err == nil {
		t.Error("took a byte that another download does not have")
	}
	if err := g.settle(); err != nil {
		t.Error(err)
	}
}
