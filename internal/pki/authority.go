package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"

	"github.com/accord-fl/accord/internal/fault"
)

// How long certificates last unless somebody asks for something else. What a
// site holds is renewed by itself, so it may be short.
const (
	RootLifetime   = 10 * 365 * 24 * time.Hour
	IssuerLifetime = 3 * 365 * 24 * time.Hour
	LeafLifetime   = 90 * 24 * time.Hour
	SiteLifetime   = 30 * 24 * time.Hour
)

// skew is by how much clocks of different institutions may differ.
const skew = 5 * time.Minute

// Authority signs certificates: a federation's root, or its issuer. Its
// methods may be called concurrently.
type Authority struct {
	Federation string
	Cert       *x509.Certificate
	// Chain is what a holder of a signed certificate presents after its own:
	// this authority's certificate and those above it, the root last.
	Chain []*x509.Certificate
	key   crypto.Signer
}

// NewKey draws a key.
func NewKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// NewRoot makes a federation's root.
func NewRoot(federation string, lifetime time.Duration) (*Authority, error) {
	id := Identity{Federation: federation, Role: Issuer, Name: "root"}
	if err := id.Validate(); err != nil {
		return nil, err
	}
	key, err := NewKey()
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{federation}, CommonName: "Accord root of " + federation},
		NotBefore:    now.Add(-skew), NotAfter: now.Add(lifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: 1,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, err := create(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &Authority{Federation: federation, Cert: cert, Chain: []*x509.Certificate{cert}, key: key}, nil
}

// ErrEnded is the class of failures to sign because the authority itself, or one
// above it, is out of its time by this machine's clock, or about to be.
var ErrEnded = errors.New("authority out of its time")

// usable refuses to sign with an authority whose certificates would not last: a
// certificate that has ended when it is made helps nobody.
func (a *Authority) usable(now time.Time) error {
	for _, c := range a.Chain {
		switch {
		case now.Before(c.NotBefore):
			return fault.As(ErrEnded, fmt.Errorf("%q begins at %s, and this machine's clock says %s: is the clock right?",
				c.Subject.CommonName, c.NotBefore.Format(time.RFC3339), now.Format(time.RFC3339)))
		case c.NotAfter.Before(now.Add(skew)):
			return fault.As(ErrEnded, fmt.Errorf("%q ends at %s, and this machine's clock says %s: if the clock is right, a new one is needed (accord federation rotate, or accord ca sign where the root is elsewhere)",
				c.Subject.CommonName, c.NotAfter.Format(time.RFC3339), now.Format(time.RFC3339)))
		}
	}
	return nil
}

// Certify signs the key of a request for an identity, to be valid for lifetime
// but never longer than the authority is. hosts are DNS names and IP addresses
// at which a coordinator is dialled. It returns the certificate and its chain;
// an authority that is out of its time signs nothing, which is ErrEnded.
func (a *Authority) Certify(id Identity, key crypto.PublicKey, hosts []string, lifetime time.Duration) ([]*x509.Certificate, error) {
	if err := id.Validate(); err != nil {
		return nil, err
	}
	if id.Federation != a.Federation {
		return nil, fault.Inputf("%s does not belong to federation %s", id, a.Federation)
	}
	now := time.Now()
	if err := a.usable(now); err != nil {
		return nil, fmt.Errorf("sign a certificate for %s: %w", id, err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	until := now.Add(lifetime)
	if until.After(a.Cert.NotAfter) {
		until = a.Cert.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{id.Federation}, OrganizationalUnit: []string{string(id.Role)}, CommonName: id.Name},
		NotBefore:    now.Add(-skew), NotAfter: until,
		URIs:     []*url.URL{id.uri()},
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	switch id.Role {
	case Issuer:
		template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
		template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	case Coordinator:
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		for _, host := range hosts {
			if ip := net.ParseIP(host); ip != nil {
				template.IPAddresses = append(template.IPAddresses, ip)
			} else {
				template.DNSNames = append(template.DNSNames, host)
			}
		}
	default:
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	cert, err := create(template, a.Cert, key, a.key)
	if err != nil {
		return nil, err
	}
	return append([]*x509.Certificate{cert}, a.Chain...), nil
}

func create(template, parent *x509.Certificate, key crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate for %s: %w", template.Subject.CommonName, err)
	}
	return x509.ParseCertificate(der)
}

func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	return serial.Add(serial, big.NewInt(1)), nil
}
