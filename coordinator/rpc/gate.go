package rpc

import (
	"context"
	"errors"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/coordinator/registry"
	"github.com/accord-fl/accord/internal/pki"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// anyone stands for callers without a certificate.
const anyone pki.Role = ""

// mayCall says which roles may call which method. What is not listed nobody
// may call.
func mayCall() map[string][]pki.Role {
	participant, admin := []pki.Role{pki.Participant}, []pki.Role{pki.Admin}
	return map[string][]pki.Role{
		accordv1.EnrollmentService_Enroll_FullMethodName:       {anyone},
		accordv1.EnrollmentService_Renew_FullMethodName:        {pki.Participant, pki.Admin},
		accordv1.EnrollmentService_Leave_FullMethodName:        participant,
		accordv1.FederationService_Attend_FullMethodName:       participant,
		accordv1.FederationService_Download_FullMethodName:     participant,
		accordv1.FederationService_Upload_FullMethodName:       participant,
		accordv1.FederationService_ResumeUpload_FullMethodName: participant,
		accordv1.AdminService_SubmitRun_FullMethodName:         admin,
		accordv1.AdminService_ListRuns_FullMethodName:          admin,
		accordv1.AdminService_GetRun_FullMethodName:            admin,
		accordv1.AdminService_ListVersions_FullMethodName:      admin,
		accordv1.AdminService_WatchRun_FullMethodName:          admin,
		accordv1.AdminService_StopRun_FullMethodName:           admin,
		accordv1.AdminService_RemoveRun_FullMethodName:         admin,
		accordv1.AdminService_Invite_FullMethodName:            admin,
		accordv1.AdminService_Trust_FullMethodName:             admin,
		accordv1.AdminService_Revoke_FullMethodName:            admin,
		accordv1.AdminService_ListRefusals_FullMethodName:      admin,
		accordv1.AdminService_ListMembers_FullMethodName:       admin,
		accordv1.AdminService_WatchMembers_FullMethodName:      admin,
		accordv1.AdminService_ReleaseSite_FullMethodName:       admin,
	}
}

// gate lets a call through when its caller's role may make it and the caller
// belongs at that moment; every other call it refuses and counts.
type gate struct {
	registry *registry.Registry
	refusals *refusals
	may      map[string][]pki.Role
}

// unary counts what a handler refuses. gatedServices has asked the gate before
// the message was read.
func (g *gate) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	resp, err := h(ctx, req)
	return resp, g.counted(ctx, err)
}

func (g *gate) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) error {
	if err := g.check(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return g.counted(stream.Context(), h(srv, stream))
}

// gatedServices registers services whose gate decides on a unary call before
// anything of its message is read. gRPC itself asks its interceptors after that.
type gatedServices struct {
	grpc.ServiceRegistrar
	gate *gate
}

// RegisterService implements grpc.ServiceRegistrar.
func (s gatedServices) RegisterService(service *grpc.ServiceDesc, impl any) {
	gated := *service
	gated.Methods = slices.Clone(service.Methods)
	for i, m := range gated.Methods {
		full := "/" + service.ServiceName + "/" + m.MethodName
		gated.Methods[i].Handler = func(srv any, ctx context.Context, read func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
			if err := s.gate.check(ctx, full); err != nil {
				return nil, toStatus(err)
			}
			return m.Handler(srv, ctx, read, intercept)
		}
	}
	s.ServiceRegistrar.RegisterService(&gated, impl)
}

// check returns the *registry.Refusal of a call.
func (g *gate) check(ctx context.Context, method string) error {
	roles := g.may[method]
	if slices.Contains(roles, anyone) {
		return nil
	}
	c := callerOf(ctx)
	err := c.refusal
	switch {
	case err != nil:
	case !slices.Contains(roles, c.identity.Role):
		err = &registry.Refusal{Reason: registry.WrongRole, Text: "a " + string(c.identity.Role) + " may not call " + method}
	default:
		err = g.registry.Admit(c.identity, c.key)
	}
	return g.counted(ctx, err)
}

// counted passes err on, and counts it when it is a caller's fault.
func (g *gate) counted(ctx context.Context, err error) error {
	var refusal *registry.Refusal
	switch {
	case err == nil:
	case errors.As(err, &refusal):
		g.refusals.count(callerOf(ctx).name(), refusal.Reason)
	case status.Code(toStatus(err)) == codes.InvalidArgument:
		g.refusals.count(callerOf(ctx).name(), registry.Malformed)
	}
	return err
}

// callerOf is who makes a call on a server with certificates.
func callerOf(ctx context.Context) *caller {
	if p, ok := peer.FromContext(ctx); ok {
		if c, ok := p.AuthInfo.(*caller); ok {
			return c
		}
	}
	return &caller{refusal: &registry.Refusal{Reason: registry.NoCertificate, Text: "the call came without TLS"}}
}

// addressOf is where a call comes from.
func addressOf(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		return p.Addr.String()
	}
	return "unknown"
}

// speaksAs checks a name that a message claims. On a server with certificates
// it must be the certificate's; without, on loopback, it is believed.
func speaksAs(ctx context.Context, name string) error {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	c, secure := p.AuthInfo.(*caller)
	if !secure || c.identity.Name == name {
		return nil
	}
	return &registry.Refusal{Reason: registry.WrongName, Text: "the certificate is that of " + c.identity.Name + "; it cannot speak for another site"}
}
