package rpc_test

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

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a coordinator that notes what it is asked.
type fake struct {
	blobs  *spool.Spool
	limit  int64
	hidden string // the digest of an artefact that was not offered
	answer func(participant string, r exchange.Reply) (exchange.Receipt, error)
	asked  string                    // the task that Misunderstood has an answer to
	mend   func(digest string) error // nil: nothing can be repaired

	mu       sync.Mutex
	links    []coordinator.Link // in order of attachment
	detached int
}

func (f *fake) Admit(l coordinator.Link, _ string) (detach func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.links = append(f.links, l)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.detached++
	}, nil
}

func (f *fake) Answer(_ context.Context, participant string, r exchange.Reply) (exchange.Receipt, error) {
	return f.answer(participant, r)
}

func (f *fake) Misunderstood(_ context.Context, participant, task string, why error) (exchange.Receipt, error) {
	if task == f.asked {
		return exchange.Receipt{Task: task, Verdict: exchange.Rejected, Reason: "recorded: " + why.Error()}, nil
	}
	return exchange.Receipt{}, why
}

func (f *fake) Checkpoint() ([]byte, string) { return nil, "" }

func (f *fake) Awaits(string, string) int64    { return f.limit }
func (f *fake) Stored(string, string)          {}
func (f *fake) OfferAgain(string, string) bool { return false }
func (f *fake) Offered(digest string) bool     { return digest != f.hidden }
func (f *fake) Spool() *spool.Spool            { return f.blobs }

// Mend implements Federation.
func (f *fake) Mend(_ context.Context, digest string) error {
	if f.mend == nil {
		return fmt.Errorf("%s: %w", digest, spool.ErrNotFound)
	}
	return f.mend(digest)
}

// link returns the n-th link that was attached.
func (f *fake) link(n int) coordinator.Link {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.links[n]
}

func (f *fake) detachments() int {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.detached
}

// server serves over connections in memory.
type server struct {
	t        testing.TB
	listener *bufconn.Listener
	cancel   context.CancelFunc
	done     chan error
}

// serve starts a server; it stops with the test.
func serve(t testing.TB, f rpc.Federation, r rpc.Runs, change func(*rpc.Options)) *server {
	t.Helper()
	return serveLogged(t, f, r, change, zaptest.NewLogger(t))
}

func serveLogged(t testing.TB, f rpc.Federation, r rpc.Runs, change func(*rpc.Options), log *zap.Logger) *server {
	t.Helper()
	o := rpc.DefaultOptions()
	o.Prepare = func([]byte, io.ReaderAt, int64) (rpc.Submission, error) {
		return rpc.Submission{}, errors.New("unexpected")
	}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &server{t: t, listener: bufconn.Listen(1 << 16), cancel: cancel, done: make(chan error, 1)}
	go func() { s.done <- rpc.Serve(ctx, s.listener, f, r, o, log) }()
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
	return s
}

// stop ends the server and returns what Serve did.
func (s *server) stop() error {
	s.cancel()
	err := <-s.done
	s.done <- nil // for whoever stops it again
	return err
}

func (s *server) dial(ctx context.Context, _ string) (net.Conn, error) {
	return s.listener.DialContext(ctx)
}

// dialServer returns a connection that is closed with the test.
func dialServer(t testing.TB, s *server) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///test", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(s.dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// connect returns a bare client of the federation's service.
func (s *server) connect() accordv1.FederationServiceClient {
	return accordv1.NewFederationServiceClient(dialServer(s.t, s))
}

// peer is the bare client's end of an attendance.
type peer struct {
	t testing.TB
	accordv1.FederationService_AttendClient
}

// attend says hello as name and takes the welcome.
func (s *server) attend(name string) *peer {
	s.t.Helper()
	p := s.open()
	p.say(hello(name, exchange.Protocol))
	m, err := p.Recv()
	if err != nil {
		s.t.Fatal(err)
	}
	if m.GetWelcome().GetLease().AsDuration() != rpc.DefaultOptions().Lease {
		s.t.Errorf("got %v, want a welcome with the lease", m)
	}
	return p
}

// open begins an attendance without a word.
func (s *server) open() *peer {
	s.t.Helper()
	stream, err := s.connect().Attend(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return &peer{s.t, stream}
}

func hello(name string, protocol int32) *accordv1.AttendRequest {
	return &accordv1.AttendRequest{Message: &accordv1.AttendRequest_Hello{Hello: &accordv1.Hello{Name: name, Protocol: protocol}}}
}

func renewal() *accordv1.AttendRequest {
	return &accordv1.AttendRequest{Message: &accordv1.AttendRequest_Renewal{Renewal: &accordv1.Renewal{}}}
}

func (p *peer) say(m *accordv1.AttendRequest) {
	p.t.Helper()
	sent(p.t, p.Send(m))
}

// sent checks that a message left. io.EOF says that the other side has ended the
// stream, perhaps before it heard the message; who receives learns why.
func sent(t testing.TB, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

// reply answers task with a document.
func (p *peer) reply(task string, document any) {
	p.t.Helper()
	payload, ok := document.([]byte)
	if !ok {
		var err error
		if payload, err = json.Marshal(document); err != nil {
			p.t.Fatal(err)
		}
	}
	p.say(&accordv1.AttendRequest{Message: &accordv1.AttendRequest_Reply{Reply: &accordv1.Reply{Task: task, Payload: payload}}})
}

// end returns how the attendance ended, skipping what is said before.
func (p *peer) end() error {
	for {
		if _, err := p.Recv(); err != nil {
			return err
		}
	}
}

func newSpool(t testing.TB) *spool.Spool {
	t.Helper()
	s, err := spool.Open(t.TempDir(), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const lease = 10 * time.Second

// dialing connects to whatever node now is.
func dialing(now func() *node) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, _ string) (net.Conn, error) { return now().listener.DialContext(ctx) }
}

// fileOf writes p as the file that it would be.
func fileOf(p *model.Params) (*bytes.Reader, error) {
	var b bytes.Buffer
	err := p.Write(&b)
	return bytes.NewReader(b.Bytes()), err
}
