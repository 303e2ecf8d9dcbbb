package pki

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/accord-fl/accord/internal/fault"
)

// Offer is what a coordinator gives to the holder of a credential: PEM, each
// part empty where there is none.
type Offer struct {
	Chain        []byte // a certificate for the holder's key, and those above it
	Roots        []byte // the roots to trust from now on
	Endorsements []byte // by which roots vouch for others
}

// Taken is what became of an Offer.
type Taken struct {
	Certificate bool                // there is a new one
	Roots       bool                // there are others
	Refused     []*x509.Certificate // roots that were offered, and for which none that is trusted vouches
}

// Take takes an offer, and keeps durably what it takes: of the roots those that
// are trusted, or for which one that is trusted vouches, in place of the ones so
// far; and the certificate, when it is for the same identity and key, and valid
// by this machine's clock below a root that is then trusted. Roots are taken also
// when the certificate is not, which is the error. Nothing changes where no root
// is left.
func (c *Credential) Take(o Offer) (Taken, error) {
	c.taking.Lock()
	defer c.taking.Unlock()
	trusted := c.Roots()
	roots, refused, err := o.roots(trusted)
	if err != nil {
		return Taken{}, err
	}
	taken := Taken{Refused: refused}
	if len(roots) > 0 && !slices.EqualFunc(roots, trusted, (*x509.Certificate).Equal) {
		if err := c.Replace(nil, roots); err != nil {
			return taken, err
		}
		taken.Roots = true
	}
	if len(o.Chain) == 0 {
		return taken, nil
	}
	chain, err := DecodeCerts(o.Chain)
	if err != nil {
		return taken, fmt.Errorf("the new certificate: %w", err)
	}
	if err := c.fits(chain); err != nil {
		return taken, fmt.Errorf("the new certificate is not taken: %w", err)
	}
	if err := c.Replace(chain, nil); err != nil {
		return taken, err
	}
	taken.Certificate = true
	return taken, nil
}

// RootsOf returns the offer's roots that a site may trust which knows a token
// only: the one that it names, and those for which that one vouches.
func (o Offer) RootsOf(t Token) ([]*x509.Certificate, error) {
	offered, err := DecodeCerts(o.Roots)
	if err != nil {
		return nil, err
	}
	named := slices.IndexFunc(offered, func(c *x509.Certificate) bool { return Fingerprint(c) == t.Root })
	if named < 0 {
		return nil, fault.Inputf("the root that the token names is not among them")
	}
	accepted, _, err := o.roots(offered[named : named+1])
	return accepted, err
}

// roots sorts the roots of the offer.
func (o Offer) roots(trusted []*x509.Certificate) (accepted, refused []*x509.Certificate, err error) {
	if len(o.Roots) == 0 {
		return nil, nil, nil
	}
	offered, err := DecodeCerts(o.Roots)
	if err != nil {
		return nil, nil, fmt.Errorf("the roots to trust: %w", err)
	}
	var endorsements []*x509.Certificate
	if len(o.Endorsements) > 0 {
		if endorsements, err = DecodeCerts(o.Endorsements); err != nil {
			return nil, nil, fmt.Errorf("the endorsements of roots: %w", err)
		}
	}
	accepted, refused = Admissible(trusted, offered, endorsements)
	return accepted, refused, nil
}

// fits refuses a certificate that would not serve in place of the one in use.
func (c *Credential) fits(chain []*x509.Certificate) error {
	is, err := c.Identity()
	if err != nil {
		return err
	}
	if id, err := IdentityOf(chain[0]); err != nil || id != is {
		return fault.Inputf("it is not for %s", is)
	}
	if err := Verify(chain, c.Roots()); err != nil {
		leaf := chain[0]
		return fmt.Errorf("%w (it is valid from %s to %s, and this machine's clock says %s)", err,
			leaf.NotBefore.Format(time.RFC3339), leaf.NotAfter.Format(time.RFC3339), time.Now().Format(time.RFC3339))
	}
	return nil
}

// Older reports whether each root began before the newest of those that are
// trusted: a federation that replaces its root goes on naming the old one for a
// while, to whoever needs it.
func (t Taken) Older(trusted []*x509.Certificate) bool {
	return !slices.ContainsFunc(t.Refused, func(root *x509.Certificate) bool {
		return !slices.ContainsFunc(trusted, func(newer *x509.Certificate) bool { return root.NotBefore.Before(newer.NotBefore) })
	})
}

// Supersedes reports whether the certificate in use should be renewed because
// another root than the one above it certifies now, and is trusted. It does not
// hold for a certificate of an institution's own authority.
func (c *Credential) Supersedes(signer string) bool {
	if _, err := c.Identity(); err != nil {
		return false
	}
	return signer != "" && signer != TopOf(c.Chain()) && slices.Contains(Fingerprints(c.Roots()), signer)
}
