package rpc_test

import (
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
)

// bare is a codec that leaves bytes as they are.
type bare struct{}

func (bare) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (bare) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }
func (bare) Name() string                       { return "proto" }

// bytesTo calls a method with messages of any bytes, and returns how the call
// ended.
func bytesTo(ctx context.Context, conn *grpc.ClientConn, method string, messages ...[]byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method, grpc.ForceCodec(bare{}))
	if err != nil {
		return err
	}
	for _, m := range messages {
		if stream.SendMsg(&m) != nil {
			break // RecvMsg tells why
		}
	}
	_ = stream.CloseSend() // RecvMsg tells
	for {
		var answer []byte
		if err := stream.RecvMsg(&answer); err != nil {
			return err
		}
	}
}

const (
	attendMethod   = "/accord.v1.FederationService/Attend"
	downloadMethod = "/accord.v1.FederationService/Download"
	uploadMethod   = "/accord.v1.FederationService/Upload"
	submitMethod   = "/accord.v1.AdminService/SubmitRun"
	getMethod      = "/accord.v1.AdminService/GetRun"
)

func TestBytesThatAreNoMessage(t *testing.T) {
	garbage := []byte("\xff\xff\xff garbage")
	for _, tt := range []struct {
		name, method string
		message      []byte
		want         codes.Code // gRPC itself answers what it cannot decode
	}{
		{"attend", attendMethod, garbage, codes.Internal},
		{"download", downloadMethod, garbage, codes.Internal},
		{"upload", uploadMethod, garbage, codes.Internal},
		{"submit", submitMethod, garbage, codes.Internal},
		{"get", getMethod, garbage, codes.Internal},
		{"a method that is not there", "/accord.v1.AdminService/Open", garbage, codes.Unimplemented},
		{"a service that is not there", "/x/y", nil, codes.Unimplemented},
		{"an oversized message", attendMethod, make([]byte, 5<<20), codes.ResourceExhausted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.WarnLevel)
				s := serveLogged(t, &fake{}, nil, nil, zap.New(core))
				if err := bytesTo(t.Context(), dialServer(t, s), tt.method, tt.message); status.Code(err) != tt.want {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				synctest.Wait()
				if logs.Len() != 1 || logs.FilterMessage("call refused").Len() != 1 {
					t.Errorf("got log %v, want one call refused", logs.All())
				}
			})
		})
	}
}

// A silent stream does not last, nor do streams beyond a connection's share.
func TestConnectionsHaveBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, &fake{}, nil, nil)
		began := time.Now()
		wantStatus(t, s.open().end(), codes.DeadlineExceeded, "lease")
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("a stream without a hello lasted %v", d)
		}

		conn := dialServer(t, s)
		hold := func(ctx context.Context) error {
			_, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, uploadMethod, grpc.ForceCodec(bare{}))
			return err
		}
		for range 32 {
			if err := hold(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		patience, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := hold(patience); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("one stream more: got %v, want it to wait", err)
		}
		headers := metadata.AppendToOutgoingContext(t.Context(), "x", strings.Repeat("x", 32<<10))
		if err := bytesTo(headers, dialServer(t, s), getMethod, nil); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("32 KiB of headers: got %v", err)
		}
	})
}

// Refused calls are logged once a kind and counted by the minute.
func TestRefusalsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		s := serveLogged(t, &fake{}, nil, nil, zap.New(core))
		conn := dialServer(t, s)
		for range 100 {
			_ = bytesTo(t.Context(), conn, uploadMethod, []byte("\xff"))
			_ = bytesTo(t.Context(), conn, "/any/thing", nil)
		}
		synctest.Wait()
		if got := logs.FilterMessage("call refused").Len(); got != 2 {
			t.Errorf("%d lines at once, want one a kind", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		counts := map[string]int64{}
		for _, e := range logs.FilterMessage("calls refused").All() {
			counts[e.ContextMap()["method"].(string)] = e.ContextMap()["count"].(int64)
		}
		if len(counts) != 2 || counts[uploadMethod] != 100 || counts["unknown"] != 100 {
			t.Errorf("got counts %v, want 100 of each kind", counts)
		}
		_ = bytesTo(t.Context(), conn, uploadMethod, []byte("\xff"))
		synctest.Wait()
		if got := logs.FilterMessage("call refused").Len(); got != 3 {
			t.Errorf("the next minute begins with %d lines, want 1", got-2)
		}
	})
}

// FuzzServer: whatever bytes three messages of a call have, the server goes
// on, and blames the caller.
func FuzzServer(f *testing.F) {
	methods := []string{attendMethod, downloadMethod, uploadMethod, submitMethod, getMethod}
	for i := range methods {
		f.Add(uint8(i), []byte("\n\x01a"), []byte("\xff"), []byte{})
	}
	f.Add(uint8(0), []byte("\x0a\x05\x0a\x01a\x18\x01"), []byte("\x12\x00"), []byte("\x1a\x06\x0a\x01t\x12\x01{"))
	f.Add(uint8(2), []byte("\x0a\x03\x0a\x01a"), []byte("\x12\x01x"), []byte("\x0a\x00"))
	f.Add(uint8(3), []byte("\x0a\x09\x0a\x07seed: 1"), []byte("\x12\x01x"), []byte("\x12\x01y"))
	fake := &fake{limit: 1 << 10, answer: func(string, exchange.Reply) (exchange.Receipt, error) {
		return exchange.Receipt{}, fault.Inputf("not wanted")
	}}
	fake.blobs = newSpool(f)
	s := serveLogged(f, fake, noRuns{}, func(o *rpc.Options) {
		o.Prepare = func(run []byte, _ io.ReaderAt, _ int64) (rpc.Submission, error) {
			return rpc.Submission{}, fault.Inputf("not wanted: %d bytes", len(run))
		}
	}, zap.NewNop())
	conn := dialServer(f, s)
	f.Fuzz(func(t *testing.T, n uint8, a, b, c []byte) {
		method := methods[int(n)%len(methods)]
		err := bytesTo(t.Context(), conn, method, a, b, c)
		switch code := status.Code(err); {
		case errors.Is(err, io.EOF):
		case code == codes.Internal && grpcItself.MatchString(err.Error()):
		case code == codes.Internal || code == codes.Unknown || code == codes.Unavailable:
			t.Fatalf("%s: %v", method, err)
		}
	})
}

// grpcItself is how gRPC, not a handler, answers what is not the method's.
var grpcItself = regexp.MustCompile("failed to unmarshal|cardinality violation")

// noRuns is a coordinator that only knows that it has no run.
type noRuns struct{ steering }

// steering is rpc.Runs under a name that none of its methods has.
type steering interface{ rpc.Runs }

func (noRuns) State(string) (round.State, error) {
	return round.State{}, coordinator.ErrNoRun
}
