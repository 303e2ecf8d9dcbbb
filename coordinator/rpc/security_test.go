package rpc_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/registry"
	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// world is a federation: its authority, and a server with certificates.
type world struct {
	t        *testing.T
	root     *pki.Authority
	issuer   *pki.Authority
	signs    atomic.Pointer[pki.Authority] // issuer, as the server knows it
	registry *registry.Registry
	server   *server
	core     *fake
	serves   *pki.Credential // the server's
}

const address = "127.0.0.1:7443"

func newWorld(t *testing.T, change ...func(*rpc.Options)) *world {
	t.Helper()
	w := &world{t: t, core: &fake{blobs: newSpool(t)}}
	w.root, w.issuer = authority(t, "heart")
	w.signs.Store(w.issuer)
	members, err := journal.OpenFile(filepath.Join(t.TempDir(), "registry.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = members.Close() })
	if w.registry, err = registry.Open(t.Context(), members); err != nil {
		t.Fatal(err)
	}
	w.serves = w.credential(w.root, pki.Identity{Federation: "heart", Role: pki.Coordinator, Name: "c"}, time.Hour*24*365)
	security := rpc.Security{
		Credential: w.serves,
		Registry:   w.registry,
		Issuer:     func() (*pki.Authority, error) { return w.signs.Load(), nil },
	}
	w.server = serve(t, w.core, &runs{}, func(o *rpc.Options) {
		o.Security = &security
		for _, c := range change {
			c(o)
		}
	})
	return w
}

// authority makes a root and an issuer below it.
func authority(t *testing.T, federation string) (root, issuer *pki.Authority) {
	t.Helper()
	root, err := pki.NewRoot(federation, pki.RootLifetime)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	chain, err := root.Certify(pki.Identity{Federation: federation, Role: pki.Issuer, Name: "issuer"}, key.Public(), nil, pki.IssuerLifetime)
	if err != nil {
		t.Fatal(err)
	}
	if issuer, err = saved(t, chain, key); err != nil {
		t.Fatal(err)
	}
	return root, issuer
}

// saved is the authority with a certificate and its key.
func saved(t *testing.T, chain []*x509.Certificate, key crypto.Signer) (*pki.Authority, error) {
	t.Helper()
	dir := t.TempDir()
	cert, keyFile := filepath.Join(dir, "issuer.crt"), filepath.Join(dir, "issuer.key")
	if err := errors.Join(pki.WriteCerts(cert, chain), pki.WriteKey(keyFile, key)); err != nil {
		return nil, err
	}
	return pki.LoadAuthority(cert, keyFile)
}

// credential is an identity folder with a certificate of an authority; whoever
// holds it trusts the federation's root.
func (w *world) credential(a *pki.Authority, id pki.Identity, lifetime time.Duration) *pki.Credential {
	w.t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		w.t.Fatal(err)
	}
	chain, err := a.Certify(id, key.Public(), []string{"127.0.0.1"}, lifetime)
	if err != nil {
		w.t.Fatal(err)
	}
	dir := w.t.TempDir()
	err = errors.Join(
		pki.WriteKey(filepath.Join(dir, pki.KeyFile), key),
		pki.WriteCerts(filepath.Join(dir, pki.CertFile), chain),
		pki.WriteCerts(filepath.Join(dir, pki.RootsFile), []*x509.Certificate{w.root.Cert}),
	)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := pki.OpenCredential(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// site is a credential of a participant that has joined.
func (w *world) site(name string) *pki.Credential {
	w.t.Helper()
	c := w.credential(w.issuer, pki.Identity{Federation: "heart", Role: pki.Participant, Name: name}, pki.SiteLifetime)
	w.enroll(name, pki.KeyOf(c.Certificate().Leaf))
	return c
}

func (w *world) enroll(name, key string) {
	w.t.Helper()
	secret := pki.NewSecret()
	err := w.registry.Invite(w.t.Context(), name, pki.HashSecret(secret), "", time.Now().Add(time.Hour))
	if err == nil {
		_, err = w.registry.Enroll(w.t.Context(), secret, key, time.Now().Add(pki.SiteLifetime))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) adminCredential() *pki.Credential {
	return w.credential(w.issuer, pki.Identity{Federation: "heart", Role: pki.Admin, Name: "alice"}, pki.LeafLifetime)
}

// client is an admin's.
func (w *world) client() *rpc.Client {
	w.t.Helper()
	c, err := rpc.Dial(address, w.adminCredential(), grpc.WithContextDialer(w.server.dial))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	return c
}

// dial connects with a credential, or with no certificate at all.
func (w *world) dial(c *pki.Credential) *grpc.ClientConn {
	w.t.Helper()
	var config credentials.TransportCredentials
	if c != nil {
		config = credentials.NewTLS(c.ClientTLS())
	} else {
		config = w.withoutCertificate()
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(config), grpc.WithContextDialer(w.server.dial))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// withoutCertificate trusts the root and presents nothing.
func (w *world) withoutCertificate() credentials.TransportCredentials {
	config := w.adminCredential().ClientTLS()
	config.GetClientCertificate = nil
	return credentials.NewTLS(config)
}

// methods are all methods of all services that the wire format knows.
func methods() []string {
	var all []string
	protoregistry.GlobalFiles.RangeFilesByPackage("accord.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				all = append(all, "/"+string(s.FullName())+"/"+string(s.Methods().Get(j).Name()))
			}
		}
		return true
	})
	slices.Sort(all)
	if len(all) < 12 {
		panic("the wire format's services were not found")
	}
	return all
}

// call sends an empty message to a method and returns the first error.
func call(ctx context.Context, conn *grpc.ClientConn, method string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return err
	}
	if err := errors.Join(stream.SendMsg(&emptypb.Empty{}), stream.CloseSend()); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return stream.RecvMsg(&emptypb.Empty{})
}

// Every method refuses every caller whom it is not for; what a method is for is
// said here once more, so that a new one must be thought about twice.
func TestEveryMethodRefusesWhomItIsNotFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, foreign := authority(t, "heart")
		revoked := w.site("revoked")
		if err := w.registry.Revoke(t.Context(), pki.Participant, "revoked", "alice", ""); err != nil {
			t.Fatal(err)
		}
		rekeyed := w.site("rekeyed")
		w.enroll("rekeyed", strings.Repeat("0", 64))
		left := w.site("left")
		if err := w.registry.Leave(t.Context(), "left", ""); err != nil {
			t.Fatal(err)
		}
		if err := w.registry.Revoke(t.Context(), pki.Admin, "fired", "alice", ""); err != nil {
			t.Fatal(err)
		}
		expired := w.site("expired")
		time.Sleep(pki.SiteLifetime + time.Minute)
		callers := []struct {
			name string
			conn *grpc.ClientConn
			code codes.Code
			may  string // prefix of the services it may use
		}{
			{"no certificate", w.dial(nil), codes.Unauthenticated, ""},
			{"foreign", w.dial(w.credential(foreign, pki.Identity{Federation: "heart", Role: pki.Admin, Name: "alice"}, time.Hour)), codes.Unauthenticated, ""},
			{"expired", w.dial(expired), codes.Unauthenticated, ""},
			{"revoked", w.dial(w.renewed(revoked)), codes.PermissionDenied, ""},
			{"another key", w.dial(w.renewed(rekeyed)), codes.PermissionDenied, ""},
			{"left", w.dial(w.renewed(left)), codes.PermissionDenied, ""},
			{"never joined", w.dial(w.credential(w.issuer, pki.Identity{Federation: "heart", Role: pki.Participant, Name: "never"}, time.Hour)), codes.PermissionDenied, ""},
			{"revoked admin", w.dial(w.credential(w.issuer, pki.Identity{Federation: "heart", Role: pki.Admin, Name: "fired"}, time.Hour)), codes.PermissionDenied, ""},
			{"a coordinator", w.dial(w.credential(w.issuer, pki.Identity{Federation: "heart", Role: pki.Coordinator, Name: "c"}, time.Hour)), codes.PermissionDenied, ""},
			{"a site", w.dial(w.site("a")), codes.PermissionDenied, "Federation Enrollment"},
			{"an admin", w.dial(w.adminCredential()), codes.PermissionDenied, "Admin Enrollment/Renew"},
		}
		for _, c := range callers {
			for _, method := range methods() {
				if method == accordv1.EnrollmentService_Enroll_FullMethodName || method == accordv1.EnrollmentService_Leave_FullMethodName && c.name == "a site" {
					continue
				}
				may := slices.ContainsFunc(strings.Fields(c.may), func(part string) bool {
					service, name, _ := strings.Cut(part, "/")
					return strings.HasPrefix(method, "/accord.v1."+service+"Service/"+name)
				})
				err := call(t.Context(), c.conn, method)
				if may {
					if status.Code(err) == codes.PermissionDenied || status.Code(err) == codes.Unauthenticated {
						t.Errorf("%s may call %s, got %v", c.name, method, err)
					}
					continue
				}
				wantStatus(t, err, c.code, "")
			}
		}
		if err := call(t.Context(), w.dial(nil), accordv1.EnrollmentService_Enroll_FullMethodName); status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "token") {
			t.Errorf("an enrolment without a token: got %v, want the token refused", err)
		}
		if err := call(t.Context(), w.dial(w.adminCredential()), "/accord.v1.AdminService/NoSuchMethod"); status.Code(err) != codes.Unimplemented && status.Code(err) != codes.PermissionDenied {
			t.Errorf("an unknown method: got %v", err)
		}
	})
}

// renewed is the same key with a fresh certificate.
func (w *world) renewed(c *pki.Credential) *pki.Credential {
	w.t.Helper()
	id, err := c.Identity()
	if err != nil {
		w.t.Fatal(err)
	}
	chain, err := w.issuer.Certify(id, c.Key().Public(), nil, time.Hour)
	if err == nil {
		err = c.Replace(chain, nil)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// A site speaks for itself only, and a revoked one is cut off at once.
func TestNamesComeFromCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		client := accordv1.NewFederationServiceClient(w.dial(w.site("a")))
		attend := func(name string) (accordv1.FederationService_AttendClient, error) {
			stream, err := client.Attend(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			sent(t, stream.Send(hello(name, exchange.Protocol)))
			_, err = stream.Recv()
			return stream, err
		}
		_, err := attend("b")
		wantStatus(t, err, codes.PermissionDenied, "cannot speak for another site")
		upload, err := client.Upload(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		header := &accordv1.UploadHeader{Participant: "b", Digest: strings.Repeat("0", 64), Size: 1}
		sent(t, upload.Send(&accordv1.UploadRequest{Part: &accordv1.UploadRequest_Header{Header: header}}))
		wantStatus(t, upload.RecvMsg(&accordv1.UploadResponse{}), codes.PermissionDenied, "cannot speak for another site")

		stream, err := attend("a")
		if err != nil {
			t.Fatal(err)
		}
		admin := w.client()
		if err := admin.Revoke(t.Context(), "a", false, "stolen"); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
			t.Errorf("after the revocation: got %v, want the stream cut off", err)
		}
		if n := w.core.detachments(); n != 1 {
			t.Errorf("%d links detached, want 1", n)
		}
		_, err = attend("a")
		wantStatus(t, err, codes.PermissionDenied, "revoked: stolen")

		refused, err := admin.Refusals(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := map[registry.Reason]int64{}
		for _, r := range refused {
			if r.Caller != "participant a" {
				t.Errorf("a refusal of %q", r.Caller)
			}
			got[r.Reason] += r.Count
		}
		if got[registry.WrongName] != 2 || got[registry.RevokedCaller] != 1 {
			t.Errorf("refusals: %v", refused)
		}
	})
}

// Each of two sites has an authority of its own; neither can speak for the
// other.
func TestInstitutionsOwnAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		own, _ := authority(t, "hospital")
		_, other := authority(t, "bank")
		admin := w.client()
		if err := errors.Join(
			admin.Trust(t.Context(), "hospital-b", pki.EncodeCerts(own.Chain)),
			admin.Trust(t.Context(), "bank", pki.EncodeCerts(other.Chain[1:])),
		); err != nil {
			t.Fatal(err)
		}
		hospital := w.credential(own, pki.Identity{Federation: "hospital", Role: pki.Participant, Name: "hospital-b"}, time.Hour)
		posing := w.credential(other, pki.Identity{Federation: "bank", Role: pki.Participant, Name: "hospital-b"}, time.Hour)
		const renew = accordv1.EnrollmentService_Renew_FullMethodName
		if err := call(t.Context(), w.dial(hospital), renew); status.Code(err) != codes.InvalidArgument { // let in, but renewed at home
			t.Errorf("got %v", err)
		}
		wantStatus(t, call(t.Context(), w.dial(posing), renew), codes.Unauthenticated, "not of this federation")
		if err := admin.Revoke(t.Context(), "hospital-b", false, "stolen"); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, call(t.Context(), w.dial(hospital), renew), codes.PermissionDenied, "was revoked: stolen")
	})
}

// A connection made below a root that is trusted no more ends, since its peer could
// not make another.
func TestConnectionsEndWithTheirRoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		conn := w.dial(w.site("site-01"))
		const renew = accordv1.EnrollmentService_Renew_FullMethodName
		if err := call(t.Context(), conn, renew); err != nil {
			t.Fatal(err)
		}
		next, _ := authority(t, "heart")
		both := []*x509.Certificate{next.Cert, w.root.Cert}
		if err := w.serves.Replace(nil, both); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		if err := call(t.Context(), conn, renew); status.Code(err) != codes.ResourceExhausted { // let in; it was given one a moment ago
			t.Fatalf("while both roots are trusted: got %v", err)
		}
		if err := w.serves.Replace(nil, both[:1]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		wantStatus(t, call(t.Context(), conn, renew), codes.Unauthenticated, "not of this federation")
	})
}

// An admin invites, a token is redeemed once, and certificates are renewed for
// the same key.
func TestInviteAndRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		admin := w.client()
		secret := pki.NewSecret()
		federation, err := admin.Invite(t.Context(), "a", pki.HashSecret(secret), time.Now().Add(time.Hour))
		if err != nil || federation != "heart" || admin.Root() != pki.Fingerprint(w.root.Cert) {
			t.Fatalf("got federation %q, root %.8s, %v", federation, admin.Root(), err)
		}
		key, err := pki.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		id := pki.Identity{Federation: "heart", Role: pki.Participant, Name: "a"}
		request, err := pki.NewRequest(id, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		stranger := accordv1.NewEnrollmentServiceClient(w.dial(nil))
		enroll := func(secret string, request []byte) (*accordv1.EnrollResponse, error) {
			return stranger.Enroll(t.Context(), &accordv1.EnrollRequest{Secret: secret, SigningRequest: request})
		}
		posing, err := pki.NewRequest(pki.Identity{Federation: "heart", Role: pki.Admin, Name: "a"}, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = enroll(secret, posing)
		wantStatus(t, err, codes.InvalidArgument, "the token invites spiffe://heart/participant/a")
		response, err := enroll(secret, request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := enroll(secret, request); err != nil {
			t.Errorf("the same key again, after a lost answer: %v", err)
		}
		other, err := pki.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		replay, err := pki.NewRequest(id, other, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = enroll(secret, replay)
		wantStatus(t, err, codes.PermissionDenied, "the token is not valid here")
		_, err = enroll(pki.NewSecret(), replay)
		wantStatus(t, err, codes.PermissionDenied, "the token is not valid here")
		for i := range 100 {
			if i%10 == 0 { // a connection without a certificate has few calls
				stranger = accordv1.NewEnrollmentServiceClient(w.dial(nil))
			}
			_, err = enroll("guess", replay)
		}
		wantStatus(t, err, codes.ResourceExhausted, "too many tries")

		if err := w.registry.Invite(t.Context(), "b", pki.HashSecret(secret), "", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		request, err = pki.NewRequest(pki.Identity{Federation: "heart", Role: pki.Participant, Name: "b"}, other, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := enroll(secret, request); err != nil {
			t.Errorf("a good token from the address of so many guesses: %v", err)
		}

		dir := t.TempDir()
		for file, data := range map[string][]byte{pki.CertFile: response.GetChain(), pki.RootsFile: response.GetRoots()} {
			if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := pki.WriteKey(filepath.Join(dir, pki.KeyFile), key); err != nil {
			t.Fatal(err)
		}
		credential, err := pki.OpenCredential(dir)
		if err != nil {
			t.Fatal(err)
		}
		if credential.Due(time.Now()) {
			t.Error("a new certificate is due")
		}
		time.Sleep(pki.SiteLifetime * 3 / 4)
		if !credential.Due(time.Now()) {
			t.Error("an old certificate is not due")
		}
		renewed, err := accordv1.NewEnrollmentServiceClient(w.dial(credential)).Renew(t.Context(), &accordv1.RenewRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := credential.Take(pki.Offer{Chain: renewed.GetChain(), Roots: renewed.GetRoots()}); err != nil || credential.Due(time.Now()) {
			t.Errorf("after the renewal (%v): due %v", err, credential.Due(time.Now()))
		}
	})
}

// An invitation runs out, and another takes its place.
func TestMembersTellOfInvitations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		admin := w.client()
		invite := func() {
			t.Helper()
			if _, err := admin.Invite(t.Context(), "late", pki.HashSecret(pki.NewSecret()), time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		want := func(state coordinator.Presence) {
			t.Helper()
			members, err := admin.Members(t.Context())
			if err != nil || len(members) != 1 || members[0].State != state {
				t.Errorf("got %+v and error %v, want a site that is %s", members, err, state)
			}
		}
		invite()
		want(coordinator.Invited)
		time.Sleep(2 * time.Hour)
		want(coordinator.Expired)
		invite()
		want(coordinator.Invited)
	})
}

func TestPlainServerInvitesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		admin := serve(t, &fake{}, &runs{}, nil).admin()
		if _, err := admin.Invite(t.Context(), "a", strings.Repeat("0", 64), time.Now().Add(time.Hour)); !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), "without certificates") {
			t.Errorf("got %v", err)
		}
	})
}
