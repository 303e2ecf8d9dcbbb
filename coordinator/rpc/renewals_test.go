package rpc_test

import (
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// renew makes one call for a certificate.
func (w *world) renew(c *pki.Credential) (pki.Offer, error) {
	w.t.Helper()
	response, err := accordv1.NewEnrollmentServiceClient(w.dial(c)).Renew(w.t.Context(), &accordv1.RenewRequest{})
	return pki.Offer{Chain: response.GetChain(), Roots: response.GetRoots(), Endorsements: response.GetEndorsements()}, err
}

// A site that renews without end does not fill the registry's journal; what a
// clock that was put back has recorded stands in nobody's way, and another root
// is reason enough at once.
func TestRenewalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.site("a")
		if err := w.registry.Renewed(t.Context(), "a", time.Now().Add(61*24*time.Hour)); err != nil { // by a clock a month ahead
			t.Fatal(err)
		}
		if _, err := w.renew(c); err != nil {
			t.Fatalf("after a wrong clock: %v", err)
		}
		for range 10 {
			_, err := w.renew(c)
			wantStatus(t, err, codes.ResourceExhausted, "wait a minute")
		}
		time.Sleep(time.Minute)
		if _, err := w.renew(c); err != nil {
			t.Errorf("a minute later: %v", err)
		}
		next, issuer := authority(t, "heart")
		w.trust(next, w.root)
		w.signs.Store(issuer)
		if _, err := w.renew(c); err != nil {
			t.Errorf("below another root: %v", err)
		}
		_, err := w.renew(c)
		wantStatus(t, err, codes.ResourceExhausted, "wait a minute")
	})
}

// trust puts roots, and the second's endorsement of the first, into the
// coordinator's folder.
func (w *world) trust(next, old *pki.Authority) {
	w.t.Helper()
	endorsement, err := old.Endorse(next.Cert)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := pki.WriteCerts(filepath.Join(w.serves.Dir(), pki.EndorsementsFile), []*x509.Certificate{endorsement}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.serves.Replace(nil, []*x509.Certificate{next.Cert, old.Cert}); err != nil {
		w.t.Fatal(err)
	}
}

// An authority that has ended, or not begun, gives no certificate that would not
// last; the site keeps what it has.
func TestAnIssuerThatHasEndedSignsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, stranger := w.site("a"), w.dial(nil)
		key, err := pki.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		chain, err := w.root.Certify(pki.Identity{Federation: "heart", Role: pki.Issuer, Name: "issuer"}, key.Public(), nil, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		ending, err := saved(t, chain, key)
		if err != nil {
			t.Fatal(err)
		}
		w.signs.Store(ending)
		time.Sleep(2 * time.Hour)
		before := w.registry.Sites()[0].Expires
		_, err = w.renew(c)
		wantStatus(t, err, codes.Unavailable, `"issuer" ends at`)
		if after := w.registry.Sites()[0].Expires; after != before {
			t.Errorf("the registry notes a certificate until %v, which there is not", after)
		}
		secret := pki.NewSecret()
		if err := w.registry.Invite(t.Context(), "b", pki.HashSecret(secret), "", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		request, err := pki.NewRequest(pki.Identity{Federation: "heart", Role: pki.Participant, Name: "b"}, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		enroll := &accordv1.EnrollRequest{Secret: secret, SigningRequest: request}
		_, err = accordv1.NewEnrollmentServiceClient(stranger).Enroll(t.Context(), enroll)
		wantStatus(t, err, codes.Unavailable, `"issuer" ends at`)
		if s := w.registry.Sites()[1]; s.Status != "invited" {
			t.Errorf("the token is used up: site b is %s", s.Status)
		}
	})
}

// What is said of a refusal lets a program tell what may pass from what is final,
// and by how much the clocks differ.
func TestRefusalsHaveReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		began := time.Now()
		revoked, unknown := w.site("a"), w.credential(w.issuer, pki.Identity{Federation: "heart", Role: pki.Participant, Name: "x"}, pki.SiteLifetime)
		short := w.credential(w.issuer, pki.Identity{Federation: "heart", Role: pki.Participant, Name: "b"}, time.Minute)
		stranger, _ := authority(t, "bank")
		foreign := w.credential(stranger, pki.Identity{Federation: "bank", Role: pki.Participant, Name: "a"}, time.Hour)
		if err := w.registry.Revoke(t.Context(), pki.Participant, "a", "alice", "stolen"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		for name, c := range map[string]struct {
			who  *pki.Credential
			want wire.Reason
		}{
			"revoked": {revoked, wire.Revoked}, "unknown": {unknown, wire.Unknown}, "expired": {short, wire.Expired}, "foreign": {foreign, wire.Foreign},
		} {
			_, err := w.renew(c.who)
			got, ok := wire.RefusalOf(err)
			if !ok || got.Reason != c.want || got.Now.Sub(began) != 2*time.Minute {
				t.Errorf("%s: got %+v of %v, want %s", name, got, err, c.want)
			}
			if c.want == wire.Expired && !strings.Contains(err.Error(), "is the coordinator's clock right?") {
				t.Errorf("%s: %v does not say what to look at", name, err)
			}
		}
	})
}
