package participant_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/gossip"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/policy"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// fake is a coordinator that acts out a script, over a connection in memory.
type fake struct {
	accordv1.UnimplementedFederationServiceServer
	t *testing.T
	// attend acts out attendance n, from 0, after the welcome.
	attend func(n int, s *talk) error
	// upload, when set, judges an upload.
	upload func(*accordv1.UploadHeader, []byte) error
	// resume, when set, tells how much of an upload is there.
	resume func(*accordv1.UploadHeader) int64
	// answer, when set, acts in place of welcome and attend.
	answer func(*talk) error
	// gossip is the participant's part in it.
	gossip *gossip.Options
	// federation is the participant's.
	federation string
	journal    shownBy // what welcomes say of it

	mu        sync.Mutex
	attended  int
	replies   []exchange.Reply  // in order
	uploaded  map[string][]byte // by digest
	models    map[string][]byte // to download
	failing   bool              // downloads break off
	offsets   []int64           // that downloads began at
	cut       int               // a download breaks off after so many bytes, once; 0: none does
	listener  *bufconn.Listener
	reachable bool
}

// talk is the fake's end of one attendance.
type talk struct {
	accordv1.FederationService_AttendServer
	fake  *fake
	hello *accordv1.Hello
}

const lease = 30 * time.Second

func (f *fake) Attend(stream accordv1.FederationService_AttendServer) error {
	f.mu.Lock()
	n := f.attended
	f.attended++
	f.mu.Unlock()
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	s := &talk{stream, f, first.GetHello()}
	if f.answer != nil {
		return f.answer(s)
	}
	if err := s.welcome(); err != nil {
		return err
	}
	return f.attend(n, s)
}

func (s *talk) welcome() error {
	return s.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Welcome{Welcome: &accordv1.Welcome{
		Version: "test", Protocol: exchange.Protocol, Lease: durationpb.New(lease), Checkpoint: s.fake.journal.signed, JournalKey: s.fake.journal.key,
	}}})
}

func (s *talk) say(m *accordv1.AttendResponse) error { return s.Send(m) }

func (s *talk) offer(t exchange.Task) error { return s.offerAt(t, time.Time{}) }

// offerAt is offer by a coordinator whose clock shows now; zero: it does not say.
func (s *talk) offerAt(t exchange.Task, now time.Time) error {
	payload, err := json.Marshal(t)
	if err != nil {
		return err
	}
	o := &accordv1.Offer{Task: t.ID, Exchange: t.Exchange, Payload: payload}
	if !now.IsZero() {
		o.Now = timestamppb.New(now)
	}
	return s.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Offer{Offer: o}})
}

func (s *talk) cancel(task string) error {
	return s.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Cancel{Cancel: &accordv1.Cancel{Task: task, Reason: "test"}}})
}

func (s *talk) receipt(task string, v accordv1.Verdict) error {
	return s.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Receipt{
		Receipt: &accordv1.Receipt{Task: task, Verdict: v},
	}})
}

// reply waits for a reply and skips renewals.
func (s *talk) reply() (exchange.Reply, error) {
	var r exchange.Reply
	for {
		m, err := s.Recv()
		if err != nil {
			return r, err
		}
		if m.GetReply() == nil {
			continue
		}
		err = json.Unmarshal(m.GetReply().GetPayload(), &r)
		s.fake.mu.Lock()
		defer s.fake.mu.Unlock()
		s.fake.replies = append(s.fake.replies, r)
		return r, err
	}
}

// rest listens until the participant leaves.
func (s *talk) rest() error {
	for {
		m, err := s.Recv()
		if err != nil || m.GetFarewell() != nil {
			return err
		}
	}
}

func (f *fake) Download(r *accordv1.DownloadRequest, s accordv1.FederationService_DownloadServer) error {
	f.mu.Lock()
	failing := f.failing
	data, ok := f.models[r.GetDigest()]
	cut := f.cut
	f.cut = 0
	f.offsets = append(f.offsets, r.GetOffset())
	f.mu.Unlock()
	if failing {
		return lost
	}
	if !ok {
		return status.Error(codes.NotFound, "no such artefact")
	}
	data = data[r.GetOffset():]
	if cut > 0 {
		if err := s.Send(&accordv1.DownloadResponse{Chunk: data[:cut]}); err != nil {
			return err
		}
		return lost
	}
	for size := 5; len(data) > 0; size = 1 << 20 {
		chunk := data[:min(size, len(data))]
		if err := s.Send(&accordv1.DownloadResponse{Chunk: chunk}); err != nil {
			return err
		}
		data = data[len(chunk):]
	}
	return nil
}

func (f *fake) ResumeUpload(_ context.Context, r *accordv1.ResumeUploadRequest) (*accordv1.ResumeUploadResponse, error) {
	if f.resume == nil {
		return nil, status.Error(codes.Unimplemented, "an older coordinator")
	}
	return &accordv1.ResumeUploadResponse{Offset: f.resume(r.GetHeader())}, nil
}

func (f *fake) Upload(s accordv1.FederationService_UploadServer) error {
	m, err := s.Recv()
	if err != nil {
		return err
	}
	h := m.GetHeader()
	var data []byte
	for {
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		data = append(data, m.GetChunk()...)
	}
	if f.upload != nil {
		if err := f.upload(h, data); err != nil {
			return err
		}
	}
	f.mu.Lock()
	f.uploaded[h.GetDigest()] = data
	f.mu.Unlock()
	return s.SendAndClose(&accordv1.UploadResponse{})
}

// serve starts the fake. It stops with the test.
func (f *fake) serve(t *testing.T) {
	f.t = t
	f.uploaded = map[string][]byte{}
	f.models = map[string][]byte{}
	f.listener = bufconn.Listen(1 << 16)
	f.reachable = true
	server := grpc.NewServer(grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second}))
	accordv1.RegisterFederationServiceServer(server, f)
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(f.listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) { // before it began
			t.Error(err)
		}
	})
	t.Cleanup(func() { server.Stop(); serving.Wait() })
}

// model makes the fake serve the weights that start at from.
func (f *fake) model(from float32) exchange.Artefact {
	return f.offered(testParams(from))
}

// offered has the fake hand out a model.
func (f *fake) offered(p *model.Params) exchange.Artefact {
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		f.t.Fatal(err)
	}
	a := exchange.Artefact{Digest: p.Digest(), Bytes: int64(b.Len())}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.models[a.Digest] = b.Bytes()
	return a
}

// last returns the last reply that came, or an empty one.
func (f *fake) last() exchange.Reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.replies) == 0 {
		return exchange.Reply{}
	}
	return f.replies[len(f.replies)-1]
}

// reach makes the fake reachable, or not any more.
func (f *fake) reach(reachable bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reachable = reachable
}

// breakDownloads makes downloads break off, or not any more.
func (f *fake) breakDownloads(failing bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing = failing
}

func (f *fake) dial(ctx context.Context, addr string) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.reachable {
		return nil, fmt.Errorf("dial tcp %s: connect: connection refused", addr)
	}
	return f.listener.DialContext(ctx)
}

// options are a participant's that dials f.
func (f *fake) options(dir string) participant.Options {
	o := participant.DefaultOptions()
	o.Name, o.Coordinator, o.Insecure, o.Dir, o.Dial = "a", "127.0.0.1:7443", true, dir, f.dial
	o.Reserve = policy.Reserve{} // tests know nothing of this machine's disk
	o.Gossip, o.Federation = f.gossip, f.federation
	return o
}

// run starts a participant; stop ends it and returns what Run did, once the
// fake rests, too.
func (f *fake) run(dir string, trainer participant.Trainer) (logs *observer.ObservedLogs, stop func() error) {
	return f.start(f.options(dir), trainer)
}

// start is run with other options than the usual.
func (f *fake) start(o participant.Options, trainer participant.Trainer) (logs *observer.ObservedLogs, stop func() error) {
	core, logs := observer.New(zap.InfoLevel)
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan error, 1)
	go func() { done <- participant.Run(ctx, o, trainer, zap.New(core)) }()
	return logs, func() error {
		cancel()
		err := <-done
		synctest.Wait()
		return err
	}
}

// lost is what the fake returns to break a connection.
var lost = status.Error(codes.Unavailable, "the coordinator went away")
