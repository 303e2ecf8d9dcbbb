package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/accord-fl/accord/coordinator/registry"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// Invite opens an invitation for a site; token is the hash of its secret. It
// returns the federation's name.
func (c *Client) Invite(ctx context.Context, site, token string, expires time.Time) (federation string, err error) {
	response, err := c.admin.Invite(ctx, &accordv1.InviteRequest{Site: site, TokenHash: token, Expires: timestamppb.New(expires)})
	return response.GetFederation(), c.explain(err)
}

// Trust admits a site by its institution's own authority, PEM.
func (c *Client) Trust(ctx context.Context, site string, roots []byte) error {
	_, err := c.admin.Trust(ctx, &accordv1.TrustRequest{Site: site, Roots: roots})
	return c.explain(err)
}

// Revoke ends the access of a site, or of an admin, at once.
func (c *Client) Revoke(ctx context.Context, name string, admin bool, reason string) error {
	_, err := c.admin.Revoke(ctx, &accordv1.RevokeRequest{Name: name, Admin: admin, Reason: reason})
	return c.explain(err)
}

// Refusals tells who was refused lately, the newest first.
func (c *Client) Refusals(ctx context.Context) ([]Refusal, error) {
	response, err := c.admin.ListRefusals(ctx, &accordv1.ListRefusalsRequest{})
	var all []Refusal
	for _, r := range response.GetRefusals() {
		all = append(all, Refusal{Minute: r.GetMinute().AsTime(), Caller: r.GetCaller(), Reason: registry.Reason(r.GetReason()), Count: r.GetCount()})
	}
	return all, c.explain(err)
}

// ErrNotRenewed is the class of failures to get a new certificate while the old
// one still serves.
var ErrNotRenewed = errors.New("certificate not renewed")

// Renew keeps the caller's credential fresh: the roots to trust, and a new
// certificate when two thirds of the old one's time are over, or another root
// certifies now. That there is none is an error of class ErrNotRenewed; other
// calls may succeed all the same. Without a credential it does nothing.
func (c *Client) Renew(ctx context.Context) error {
	if c.credential == nil {
		return nil
	}
	if err := c.renew(ctx, false); err != nil {
		return err
	}
	if !c.credential.Due(time.Now()) && !c.credential.Supersedes(c.Root()) {
		return nil
	}
	return fault.As(ErrNotRenewed, c.renew(ctx, true))
}

func (c *Client) renew(ctx context.Context, certificate bool) error {
	response, err := c.enrollment.Renew(ctx, &accordv1.RenewRequest{RootsOnly: !certificate})
	if err != nil {
		return c.explain(err)
	}
	offer := pki.Offer{Chain: response.GetChain(), Roots: response.GetRoots(), Endorsements: response.GetEndorsements()}
	if _, err := c.credential.Take(offer); err != nil {
		return fmt.Errorf("renew the certificate in %s: %w", c.credential.Dir(), err)
	}
	return nil
}
