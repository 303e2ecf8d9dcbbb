package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// Client steers the runs of a coordinator from another process. Its errors
// are in the classes of package fault. Methods may be called concurrently.
type Client struct {
	addr  string
	conn  *grpc.ClientConn
	admin accordv1.AdminServiceClient

	enrollment accordv1.EnrollmentServiceClient
	credential *pki.Credential
	root       atomic.Value // string; see Root
}

// Dial returns a client of the coordinator at addr, host:port, which calls with
// an admin's credential; without one, nil, the coordinator must be on this
// machine. The connection opens when it is first used; the caller closes it.
// More options, such as another dialer, are for tests.
func Dial(addr string, credential *pki.Credential, more ...grpc.DialOption) (*Client, error) {
	c := &Client{addr: addr, credential: credential}
	secure := insecure.NewCredentials()
	if credential != nil {
		secure = credentials.NewTLS(c.tls())
	} else if err := wire.CheckPlain(addr, true); err != nil {
		return nil, fmt.Errorf("coordinator: %w; or name an admin's identity folder (--identity)", err)
	}
	options := append([]grpc.DialOption{
		grpc.WithTransportCredentials(secure),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxMessage)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: patience(), MinConnectTimeout: 20 * time.Second}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
	}, more...)
	if _, err := wire.Proxy(addr); err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(addr, options...)
	if err != nil {
		return nil, fmt.Errorf("coordinator %s: %w", addr, err)
	}
	c.conn, c.admin, c.enrollment = conn, accordv1.NewAdminServiceClient(conn), accordv1.NewEnrollmentServiceClient(conn)
	return c, nil
}

// patience is gRPC's own between tries to connect, but for people who wait.
func patience() backoff.Config {
	c := backoff.DefaultConfig
	c.MaxDelay = 5 * time.Second
	return c
}

// tls is how the coordinator is dialled. It notes what Root returns.
func (c *Client) tls() *tls.Config {
	config := c.credential.ClientTLS()
	check := config.VerifyConnection
	config.VerifyConnection = func(s tls.ConnectionState) error {
		if err := check(s); err != nil {
			return err
		}
		c.root.Store(pki.Fingerprint(s.PeerCertificates[len(s.PeerCertificates)-1]))
		return nil
	}
	return config
}

// Root is the fingerprint of the highest certificate that the coordinator
// presents, once a call has succeeded: what a token carries.
func (c *Client) Root() string {
	root, _ := c.root.Load().(string) // before the first call there is none
	return root
}

// explain translates the error of a call, and says which coordinator cannot
// be reached.
func (c *Client) explain(err error) error {
	err = fromStatus(err)
	switch {
	case errors.Is(err, ErrUntimely), errors.Is(err, ErrAnswers):
		return fmt.Errorf("coordinator %s: %w", c.addr, err)
	case errors.Is(err, fault.Unavailable):
		return wire.Away(c.addr, err.Error())
	}
	return err
}

// Close closes the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Submit queues the run that a run file, YAML, describes, starting from the
// safetensors file that initial gives, or nil. It returns the run's name and
// how the initial model was matched.
func (c *Client) Submit(ctx context.Context, run []byte, initial io.Reader) (name, note string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when it is left early
	stream, err := c.admin.SubmitRun(ctx)
	if err != nil {
		return "", "", c.explain(err)
	}
	err = stream.Send(&accordv1.SubmitRunRequest{Part: &accordv1.SubmitRunRequest_Header{Header: &accordv1.SubmitRunHeader{Run: run}}})
	if err == nil && initial != nil {
		err = wire.SendChunks(initial, wire.SubmitChunk, stream.SendMsg)
	}
	if err != nil && !errors.Is(err, io.EOF) { // io.EOF: the coordinator has answered before the end
		return "", "", c.explain(err)
	}
	response, err := stream.CloseAndRecv()
	return response.GetName(), response.GetNote(), c.explain(err)
}
