package pki

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"

	"github.com/accord-fl/accord/internal/fault"
)

// Endorse vouches for another root of the federation: it signs that root's
// subject and key. The endorsement stands in no chain; Admissible reads it.
func (a *Authority) Endorse(root *x509.Certificate) (*x509.Certificate, error) {
	if err := checkRoot(root); err != nil {
		return nil, err
	}
	if root.Subject.Organization[0] != a.Federation {
		return nil, fault.Inputf("the root of %s is not one of federation %s", root.Subject.Organization[0], a.Federation)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	until := root.NotAfter
	if a.Cert.NotAfter.Before(until) {
		until = a.Cert.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      root.Subject,
		NotBefore:    time.Now().Add(-skew), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: 1,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	return create(template, a.Cert, root.PublicKey, a.key)
}

// checkRoot refuses a certificate that is not a federation's root.
func checkRoot(c *x509.Certificate) error {
	if !c.IsCA || len(c.Subject.Organization) != 1 || c.CheckSignatureFrom(c) != nil {
		return fault.Inputf("%.80q is not the certificate of a federation's root", c.Subject.CommonName)
	}
	return nil
}

// Admissible sorts the roots that a coordinator offers to whoever trusts some
// already: accepted are those that are trusted, and those whose key a trusted
// root, or one accepted before, has endorsed; the others are refused. Nobody's
// clock matters: an endorsement outlives the wrong one.
func Admissible(trusted, offered, endorsements []*x509.Certificate) (accepted, refused []*x509.Certificate) {
	vouching := slices.Clone(trusted)
	for again := true; again; {
		again = false
		for _, root := range offered {
			if !slices.ContainsFunc(vouching, root.Equal) && endorsed(root, vouching, endorsements) {
				vouching, again = append(vouching, root), true
			}
		}
	}
	for _, root := range offered {
		if slices.ContainsFunc(vouching, root.Equal) {
			accepted = append(accepted, root)
		} else {
			refused = append(refused, root)
		}
	}
	return accepted, refused
}

// endorsed reports whether one of the vouching roots has signed the root's
// subject and key, for the same federation.
func endorsed(root *x509.Certificate, vouching, endorsements []*x509.Certificate) bool {
	if checkRoot(root) != nil {
		return false
	}
	return slices.ContainsFunc(endorsements, func(e *x509.Certificate) bool {
		same := e.IsCA && bytes.Equal(e.RawSubject, root.RawSubject) && bytes.Equal(e.RawSubjectPublicKeyInfo, root.RawSubjectPublicKeyInfo)
		return same && slices.ContainsFunc(vouching, func(v *x509.Certificate) bool {
			return slices.Equal(v.Subject.Organization, root.Subject.Organization) && e.CheckSignatureFrom(v) == nil
		})
	})
}

// TopOf is the fingerprint of the highest certificate of a chain: in a
// federation, of the root that certified whoever presents it.
func TopOf(chain []*x509.Certificate) string {
	if len(chain) == 0 {
		return ""
	}
	return Fingerprint(chain[len(chain)-1])
}
