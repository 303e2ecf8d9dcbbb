package rpc

import (
	"context"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// errPlain refuses what makes sense with certificates only.
var errPlain = status.Error(codes.FailedPrecondition, "this coordinator runs without certificates; accord federation init makes them")

// Invite opens an invitation for a site.
func (a *admin) Invite(ctx context.Context, r *accordv1.InviteRequest) (*accordv1.InviteResponse, error) {
	if a.options.Security == nil {
		return nil, errPlain
	}
	issuer, err := a.options.Security.Issuer()
	if err != nil {
		return nil, err
	}
	by := callerOf(ctx).identity.Name
	if err := a.options.Security.Registry.Invite(ctx, r.GetSite(), r.GetTokenHash(), by, r.GetExpires().AsTime()); err != nil {
		return nil, err
	}
	a.log.Info("site invited", zap.String("participant", r.GetSite()), zap.String("by", by), zap.String("until", r.GetExpires().AsTime().Format(time.RFC3339)))
	return &accordv1.InviteResponse{Federation: issuer.Federation}, nil
}

// Trust admits a site by its institution's own authority.
func (a *admin) Trust(ctx context.Context, r *accordv1.TrustRequest) (*accordv1.TrustResponse, error) {
	if a.options.Security == nil {
		return nil, errPlain
	}
	roots, err := pki.DecodeCerts(r.GetRoots())
	if err != nil {
		return nil, fault.Inputf("authority of %.80q: %w", r.GetSite(), err)
	}
	by := callerOf(ctx).identity.Name
	if err := a.options.Security.Registry.Trust(ctx, r.GetSite(), by, roots); err != nil {
		return nil, err
	}
	a.log.Info("site trusted", zap.String("participant", r.GetSite()), zap.String("by", by), zap.String("authority", roots[0].Subject.String()))
	return &accordv1.TrustResponse{}, nil
}

// Revoke ends the access of a site or an admin at once.
func (a *admin) Revoke(ctx context.Context, r *accordv1.RevokeRequest) (*accordv1.RevokeResponse, error) {
	if a.options.Security == nil {
		return nil, errPlain
	}
	role, by := pki.Participant, callerOf(ctx).identity.Name
	if r.GetAdmin() {
		role = pki.Admin
	}
	if role == pki.Admin && r.GetName() == by {
		return nil, fault.Inputf("you are %s: another admin must revoke you", by)
	}
	if err := a.options.Security.Registry.Revoke(ctx, role, r.GetName(), by, bounded(r.GetReason())); err != nil {
		return nil, err
	}
	a.log.Warn("access revoked", zap.String("role", string(role)), zap.String("name", r.GetName()), zap.String("by", by), zap.String("reason", bounded(r.GetReason())))
	return &accordv1.RevokeResponse{}, nil
}

// ListRefusals tells who was refused lately.
func (a *admin) ListRefusals(context.Context, *accordv1.ListRefusalsRequest) (*accordv1.ListRefusalsResponse, error) {
	response := &accordv1.ListRefusalsResponse{}
	for _, refusal := range a.refusals.list() {
		response.Refusals = append(response.Refusals, &accordv1.Refusal{
			Minute: timestamppb.New(refusal.Minute), Caller: refusal.Caller, Reason: string(refusal.Reason), Count: refusal.Count,
		})
	}
	return response, nil
}
