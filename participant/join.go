package participant

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// Join redeems a token: it makes a key in the identity folder dir, which never
// leaves it, has it certified, and puts certificate and roots beside it. When it
// fails it may be called again, with the same key, so that an answer that was
// lost costs nothing. A key that no coordinator can have certified is removed.
func Join(ctx context.Context, t pki.Token, dir string) (err error) {
	host, _, err := net.SplitHostPort(t.Coordinator)
	if err != nil {
		return fault.Inputf("the token's coordinator %q is no host:port", t.Coordinator)
	}
	_, there := os.Stat(filepath.Join(dir, pki.KeyFile))
	unseen := true // the coordinator has not seen the key
	defer func() {
		if err != nil && unseen && errors.Is(there, fs.ErrNotExist) {
			_ = os.Remove(filepath.Join(dir, pki.KeyFile)) // it may not have come so far
			_ = os.Remove(dir)                             // fails, rightly, where something is in it
		}
	}()
	key, err := keyIn(dir)
	if err != nil {
		return err
	}
	id := pki.Identity{Federation: t.Federation, Role: pki.Participant, Name: t.Site}
	request, err := pki.NewRequest(id, key, nil)
	if err != nil {
		return err
	}
	if _, err := wire.Proxy(t.Coordinator); err != nil {
		return err
	}
	conn, err := grpc.NewClient(t.Coordinator, grpc.WithTransportCredentials(credentials.NewTLS(pki.TokenTLS(t, host))))
	if err != nil {
		return err
	}
	defer conn.Close() // nothing is lost with it
	var answered grpcpeer.Peer
	response, err := accordv1.NewEnrollmentServiceClient(conn).Enroll(ctx, &accordv1.EnrollRequest{Secret: t.Secret, SigningRequest: request}, grpc.Peer(&answered))
	unseen = err != nil && (answered.Addr == nil || refusal(err) != nil)
	if err != nil {
		return explain(err, t.Coordinator)
	}
	chain, err := pki.DecodeCerts(response.GetChain())
	if err != nil {
		return fmt.Errorf("certificate from the coordinator: %w", err)
	}
	roots, err := pki.DecodeCerts(response.GetRoots())
	if err != nil {
		return fmt.Errorf("roots from the coordinator: %w", err)
	}
	if got, err := pki.IdentityOf(chain[0]); err != nil || got != id {
		return fault.Inputf("the coordinator certified %s, not %s", got, id)
	}
	if err := errors.Join(pki.WriteCerts(filepath.Join(dir, pki.RootsFile), roots), pki.WriteCerts(filepath.Join(dir, pki.CertFile), chain)); err != nil {
		return err
	}
	_, err = pki.OpenCredential(dir)
	return err
}

// keyIn returns the key in an identity folder, making both when needed.
func keyIn(dir string) (crypto.Signer, error) {
	path := filepath.Join(dir, pki.KeyFile)
	key, err := pki.ReadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := pki.MakeFolder(dir); err != nil {
		return nil, err
	}
	fresh, err := pki.NewKey()
	if err != nil {
		return nil, err
	}
	return fresh, pki.WriteKey(path, fresh)
}

// Leave ends the site's access by its own will.
func Leave(ctx context.Context, o Options, reason string) error {
	conn, err := o.connect()
	if err != nil {
		return err
	}
	defer conn.Close() // nothing is lost with it
	_, err = accordv1.NewEnrollmentServiceClient(conn).Leave(ctx, &accordv1.LeaveRequest{Reason: reason})
	return explain(err, o.Coordinator)
}

// explain puts the error of a single call to a coordinator plainly, in its
// class.
func explain(err error, coordinator string) error {
	switch {
	case err == nil:
		return nil
	case status.Code(err) == codes.Canceled:
		return context.Canceled
	}
	if no := refusal(err); no != nil {
		return fmt.Errorf("coordinator %s: %w", coordinator, no)
	}
	if status.Code(err) == codes.ResourceExhausted {
		return fault.As(fault.Unavailable, fmt.Errorf("coordinator %s: %s", coordinator, plain(err)))
	}
	return wire.Away(coordinator, plain(err))
}
