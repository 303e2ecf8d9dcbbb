package flood

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// Every call reaches the server, and is counted under the answer it got.
func TestFlood(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var seen atomic.Int64
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		if seen.Add(1) == 200 {
			stop()
		}
		if strings.HasSuffix(method, "GetRun") {
			return status.Error(codes.NotFound, "no")
		}
		return status.Error(codes.InvalidArgument, "no")
	}))
	go func() { _ = server.Serve(l) }()
	defer server.Stop()

	r, err := Flood{Address: l.Addr().String(), Credentials: insecure.NewCredentials(), Connections: 3, Rate: 3000}.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ended := 0
	for code, n := range r.Outcomes {
		if ended += n; code != codes.InvalidArgument && code != codes.NotFound {
			t.Errorf("%d calls ended as %v", n, code)
		}
	}
	if ended < 100 || r.Calls < ended || r.Calls > ended+3 || r.Outcomes[codes.NotFound] == 0 {
		t.Errorf("got %d calls, %s", r.Calls, r.Summary())
	}
}

func TestEveryMethodIsAttacked(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range attacks() {
		seen[a.method] = true
	}
	for _, want := range []string{"Attend", "Download", "Upload"} {
		if !seen[federation+want] {
			t.Errorf("%s is spared", want)
		}
	}
}
