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
	"time"

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

// Joined is what a site learns as it joins.
type Joined struct {
	// Ahead is by how much the coordinator's clock is ahead of this machine's;
	// 0 also for a coordinator that does not tell.
	Ahead time.Duration
}

// Join redeems a token: it makes a key in the identity folder dir, which never
// leaves it, has it certified, and puts certificate and roots beside it. When it
// fails it may be called again, with the same key, so that an answer that was
// lost, or a clock that was wrong, costs nothing; a key that no coordinator can have
// certified is removed. A certificate that is not valid by this machine's clock is
// not taken.
func Join(ctx context.Context, t pki.Token, dir string) (_ Joined, err error) {
	_, there := os.Stat(filepath.Join(dir, pki.KeyFile))
	var seen bool // the coordinator may have certified the key
	defer func() {
		if err != nil && !seen && errors.Is(there, fs.ErrNotExist) {
			_ = os.Remove(filepath.Join(dir, pki.KeyFile)) // it may not have come so far
			_ = os.Remove(dir)                             // fails, rightly, where something is in it
		}
	}()
	key, err := keyIn(dir)
	if err != nil {
		return Joined{}, err
	}
	id := pki.Identity{Federation: t.Federation, Role: pki.Participant, Name: t.Site}
	request, err := pki.NewRequest(id, key, nil)
	if err != nil {
		return Joined{}, err
	}
	began := time.Now()
	var response *accordv1.EnrollResponse
	response, seen, err = enroll(ctx, t, request)
	if err != nil {
		return Joined{}, err
	}
	var joined Joined
	if now := toTime(response.GetNow()); !now.IsZero() {
		joined.Ahead = wire.Ahead(now, began)
	}
	if err := admit(dir, id, t, response); err != nil {
		if joined.Ahead.Abs() >= wire.ClockWrong {
			err = fmt.Errorf("%w; the coordinator's clock is %s", err, wire.ClockText(joined.Ahead, "this machine's"))
		}
		return joined, err
	}
	_, err = pki.OpenCredential(dir)
	return joined, err
}

// enroll makes the call, and reports whether the coordinator may have certified
// what was asked.
func enroll(ctx context.Context, t pki.Token, request []byte) (_ *accordv1.EnrollResponse, seen bool, err error) {
	host, _, err := net.SplitHostPort(t.Coordinator)
	if err != nil {
		return nil, false, fault.Inputf("the token's coordinator %q is not a host:port", t.Coordinator)
	}
	if _, err := wire.Proxy(t.Coordinator); err != nil {
		return nil, false, err
	}
	conn, err := grpc.NewClient(t.Coordinator, grpc.WithTransportCredentials(credentials.NewTLS(pki.TokenTLS(t, host))))
	if err != nil {
		return nil, false, err
	}
	defer conn.Close() // nothing is lost with it
	var answered grpcpeer.Peer
	response, err := accordv1.NewEnrollmentServiceClient(conn).Enroll(ctx, &accordv1.EnrollRequest{Secret: t.Secret, SigningRequest: request}, grpc.Peer(&answered))
	seen = err == nil || answered.Addr != nil && refusal(err) == nil
	return response, seen, explain(err, t.Coordinator)
}

// admit checks what a coordinator has answered, and keeps it: the certificate, of
// the roots the one that the token names, and those for which that one vouches.
func admit(dir string, id pki.Identity, t pki.Token, response *accordv1.EnrollResponse) error {
	chain, err := pki.DecodeCerts(response.GetChain())
	if err != nil {
		return fmt.Errorf("certificate from the coordinator: %w", err)
	}
	if got, err := pki.IdentityOf(chain[0]); err != nil || got != id {
		return fault.Inputf("the coordinator certified %s, not %s", got, id)
	}
	offer := pki.Offer{Roots: response.GetRoots(), Endorsements: response.GetEndorsements()}
	roots, err := offer.RootsOf(t)
	if err != nil {
		return fmt.Errorf("roots from the coordinator: %w", err)
	}
	switch err := pki.Verify(chain, roots); {
	case errors.Is(err, pki.ErrExpired), errors.Is(err, pki.ErrNotYetValid):
		return fmt.Errorf("the certificate that the coordinator has signed is not valid by this machine's clock: %w; set the clock that is wrong, then run this again with the same token", err)
	case err != nil:
		return fmt.Errorf("certificate from the coordinator: %w", err)
	}
	return errors.Join(pki.WriteCerts(filepath.Join(dir, pki.RootsFile), roots), pki.WriteCerts(filepath.Join(dir, pki.CertFile), chain))
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
	if wire.Untimely(status.Convert(err)) {
		return fault.As(fault.Unavailable, fmt.Errorf("coordinator %s: %s", coordinator, plain(err)))
	}
	if status.Code(err) == codes.ResourceExhausted {
		return fault.As(fault.Unavailable, fmt.Errorf("coordinator %s: %s", coordinator, plain(err)))
	}
	return wire.Away(coordinator, plain(err))
}
