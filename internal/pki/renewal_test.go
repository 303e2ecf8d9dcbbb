package pki

import (
	"crypto/x509"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/internal/fault"
)

func newRoot(t *testing.T, federation string) *Authority {
	t.Helper()
	root, err := NewRoot(federation, RootLifetime)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// holder is a site's credential, certified by a root.
func holder(t *testing.T, root *Authority) *Credential {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	chain, err := root.Certify(Identity{Federation: root.Federation, Role: Participant, Name: "a"}, key.Public(), nil, SiteLifetime)
	if err == nil {
		err = errors.Join(WriteKey(filepath.Join(dir, KeyFile), key), WriteCerts(filepath.Join(dir, CertFile), chain), WriteCerts(filepath.Join(dir, RootsFile), root.Chain))
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := OpenCredential(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// offer is one of roots, and of endorsements of the second of each pair by the
// first.
func offer(t *testing.T, roots []*Authority, vouching ...[2]*Authority) Offer {
	t.Helper()
	var certs, endorsements []*x509.Certificate
	for _, root := range roots {
		certs = append(certs, root.Cert)
	}
	for _, pair := range vouching {
		e, err := pair[0].Endorse(pair[1].Cert)
		if err != nil {
			t.Fatal(err)
		}
		endorsements = append(endorsements, e)
	}
	return Offer{Roots: EncodeCerts(certs), Endorsements: EncodeCerts(endorsements)}
}

// A root is taken when one that is trusted has signed it, directly or by another
// one that is taken, and in no other way; the file holds no other.
func TestRootsAreTakenWhenEndorsed(t *testing.T) {
	old, next, third, stranger := newRoot(t, "heart"), newRoot(t, "heart"), newRoot(t, "heart"), newRoot(t, "heart")
	bank := newRoot(t, "bank")
	issuer := func(a *Authority) *Authority { // which a root has certified
		key, err := NewKey()
		if err != nil {
			t.Fatal(err)
		}
		chain, err := a.Certify(Identity{Federation: "heart", Role: Issuer, Name: "issuer"}, key.Public(), nil, IssuerLifetime)
		if err != nil {
			t.Fatal(err)
		}
		return &Authority{Federation: "heart", Cert: chain[0], Chain: chain, key: key}
	}
	// Another certificate for the next root's key, which that key has not signed.
	posing := *next
	var err error
	if posing.Cert, err = stranger.Endorse(next.Cert); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		offer   Offer
		want    []*Authority
		refused int
	}{
		"endorsed":                     {offer(t, []*Authority{next, old}, [2]*Authority{old, next}), []*Authority{next, old}, 0},
		"endorsed, the old one ended":  {offer(t, []*Authority{next}, [2]*Authority{old, next}), []*Authority{next}, 0},
		"twice on":                     {offer(t, []*Authority{third}, [2]*Authority{old, third}), []*Authority{third}, 0},
		"by one that comes with it":    {offer(t, []*Authority{third, next, old}, [2]*Authority{next, third}, [2]*Authority{old, next}), []*Authority{third, next, old}, 0},
		"not endorsed":                 {offer(t, []*Authority{next, old}), []*Authority{old}, 1},
		"alone and not endorsed":       {offer(t, []*Authority{next}), []*Authority{old}, 1},
		"by itself":                    {offer(t, []*Authority{next, old}, [2]*Authority{next, next}), []*Authority{old}, 1},
		"by a stranger":                {offer(t, []*Authority{next, old}, [2]*Authority{stranger, next}), []*Authority{old}, 1},
		"by an issuer below":           {offer(t, []*Authority{next, old}, [2]*Authority{issuer(old), next}), []*Authority{old}, 1},
		"another is endorsed":          {offer(t, []*Authority{next, old}, [2]*Authority{old, third}), []*Authority{old}, 1},
		"the key, not the certificate": {offer(t, []*Authority{&posing, old}, [2]*Authority{old, next}), []*Authority{old}, 1},
		"nothing":                      {Offer{}, []*Authority{old}, 0},
	} {
		site := holder(t, old)
		taken, err := site.Take(c.offer)
		if err != nil || len(taken.Refused) != c.refused {
			t.Errorf("%s: refused %d, want %d (%v)", name, len(taken.Refused), c.refused, err)
		}
		kept, err := ReadCerts(filepath.Join(site.Dir(), RootsFile))
		var want []*x509.Certificate
		for _, root := range c.want {
			want = append(want, root.Cert)
		}
		if err != nil || string(EncodeCerts(kept)) != string(EncodeCerts(want)) {
			t.Errorf("%s: %d roots are kept, want %d (%v)", name, len(kept), len(want), err)
		}
	}
	if _, err := old.Endorse(bank.Cert); !errors.Is(err, fault.Input) {
		t.Errorf("another federation's root: got %v", err)
	}
	if _, err := old.Endorse(issuer(old).Cert); !errors.Is(err, fault.Input) {
		t.Errorf("an issuer: got %v", err)
	}
	site := holder(t, old)
	for name, bad := range map[string]Offer{"roots": {Roots: []byte("x")}, "endorsements": {Roots: offer(t, []*Authority{next}).Roots, Endorsements: []byte("x")}} {
		if _, err := site.Take(bad); err == nil {
			t.Errorf("%s that cannot be read were taken", name)
		}
	}
}

// A certificate that is not valid by the holder's clock, or is another's, is not
// taken; the one in use stays.
func TestCertificatesAreTakenWhenTheyServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := newRoot(t, "heart")
		site := holder(t, root)
		certify := func(name string, by *Authority) []byte {
			t.Helper()
			chain, err := by.Certify(Identity{Federation: "heart", Role: Participant, Name: name}, site.Key().Public(), nil, SiteLifetime)
			if err != nil {
				t.Fatal(err)
			}
			return EncodeCerts(chain)
		}
		was := Fingerprint(site.Certificate().Leaf)
		for name, chain := range map[string][]byte{"another's": certify("b", root), "a stranger's": certify("a", newRoot(t, "heart")), "nonsense": []byte("x")} {
			if taken, err := site.Take(Offer{Chain: chain}); err == nil || taken.Certificate {
				t.Errorf("%s: taken", name)
			}
		}
		old := certify("a", root)
		time.Sleep(SiteLifetime + time.Hour)
		if _, err := site.Take(Offer{Chain: old}); !errors.Is(err, ErrExpired) || !strings.Contains(err.Error(), "this machine's clock says") {
			t.Errorf("one that has ended: got %v", err)
		}
		if Fingerprint(site.Certificate().Leaf) != was {
			t.Error("the certificate in use was replaced")
		}
		if taken, err := site.Take(Offer{Chain: certify("a", root)}); err != nil || !taken.Certificate {
			t.Errorf("a good one: %v", err)
		}
	})
}

// One that a clock ahead of the holder's has signed has not begun.
func TestACertificateFromTheFutureIsNotTaken(t *testing.T) {
	root := newRoot(t, "heart")
	site := holder(t, root)
	future := *site.Certificate().Leaf
	future.NotBefore, future.NotAfter = time.Now().Add(48*time.Hour), time.Now().Add(50*24*time.Hour)
	cert, err := create(&future, root.Cert, site.Key().Public(), root.key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := site.Take(Offer{Chain: EncodeCerts([]*x509.Certificate{cert, root.Cert})}); !errors.Is(err, ErrNotYetValid) {
		t.Errorf("got %v", err)
	}
	// A coordinator's own, that it has made itself, is due for another.
	if err := site.Replace([]*x509.Certificate{cert, root.Cert}, nil); err != nil || !site.Due(time.Now()) {
		t.Errorf("a certificate that has not begun is not due (%v)", err)
	}
}

// An authority out of its time signs nothing.
func TestAnAuthorityThatHasEndedSignsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root, err := NewRoot("heart", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		key, err := NewKey()
		if err != nil {
			t.Fatal(err)
		}
		certify := func() error {
			_, err := root.Certify(Identity{Federation: "heart", Role: Participant, Name: "a"}, key.Public(), nil, SiteLifetime)
			return err
		}
		if err := certify(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour - skew + time.Second)
		if err := certify(); !errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), "if the clock is right") {
			t.Errorf("about to end: got %v", err)
		}
	})
}
