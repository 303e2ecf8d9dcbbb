package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/accord-fl/accord/internal/fault"
)

// ServerTLS is how a coordinator listens: TLS 1.3 with the certificate of the
// moment. It asks callers for a certificate and looks at none of them: who is
// let in is decided call by call, where a refusal can be explained and counted.
func (c *Credential) ServerTLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		ClientAuth:     tls.RequestClientCert,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.Certificate(), nil },
		NextProtos:     []string{"h2"},
		// Whoever connects holds his key, each time: a ticket could be stolen.
		SessionTicketsDisabled: true,
	}
}

// ClientTLS is how a coordinator is dialled: TLS 1.3 with the certificate of the
// moment, which the roots of the moment must stand behind. It serves for one
// connection; the next may have other roots.
func (c *Credential) ClientTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		RootCAs:    pool(c.Roots()),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return c.Certificate(), nil
		},
		VerifyConnection: func(s tls.ConnectionState) error { return isCoordinator(s.PeerCertificates[0]) },
	}
}

// ProbeTLS is ClientTLS for whoever looks for what is in the way: seen is told
// what the peer presents, also when nobody stands behind it.
func (c *Credential) ProbeTLS(host string, seen func([]*x509.Certificate)) *tls.Config {
	config := c.ClientTLS()
	config.InsecureSkipVerify = true // VerifyConnection does it, once it has told
	config.VerifyConnection = func(s tls.ConnectionState) error {
		seen(s.PeerCertificates)
		return verifyServer(s.PeerCertificates, c.Roots(), host)
	}
	return config
}

// isCoordinator refuses a peer whose certificate says that it is something
// else. One of an institution's own authority says nothing but its host.
func isCoordinator(c *x509.Certificate) error {
	if len(c.URIs) == 0 {
		return nil
	}
	id, err := IdentityOf(c)
	if err == nil && id.Role != Coordinator {
		err = fault.Inputf("the certificate is that of %s, not a coordinator's", id)
	}
	return err
}

// TokenTLS is how a site dials that knows the fingerprint of the root only.
func TokenTLS(t Token, host string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // VerifyConnection does all of it, with the root that the fingerprint names
		VerifyConnection: func(s tls.ConnectionState) error {
			for _, c := range s.PeerCertificates {
				if Fingerprint(c) == t.Root {
					return verifyServer(s.PeerCertificates, []*x509.Certificate{c}, host)
				}
			}
			return fault.Inputf("the peer's certificates do not lead to the root that the token names: "+
				"another coordinator, or something on the way that opens TLS, answers at %s", t.Coordinator)
		},
	}
}

func verifyServer(chain, roots []*x509.Certificate, host string) error {
	_, err := chain[0].Verify(x509.VerifyOptions{
		DNSName: host, Roots: pool(roots), Intermediates: pool(chain[1:]),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return errors.Join(err, isCoordinator(chain[0]))
}

// What Verify returns for a certificate that has ended, or has not begun, by
// this machine's clock.
var (
	ErrExpired     = fault.As(fault.Input, errors.New("the certificate is out of its time"))
	ErrNotYetValid = fault.As(fault.Input, errors.New("the certificate is not valid yet"))
)

// Verify reports, as an error, why roots do not stand behind the chain of a
// caller, leaf first.
func Verify(chain, roots []*x509.Certificate) error {
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: pool(roots), Intermediates: pool(chain[1:]),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		return err
	}
	if strings.Contains(invalid.Detail, " is before ") { // of the one in the chain that is out of its time
		return fmt.Errorf("%w: %s", ErrNotYetValid, invalid.Detail)
	}
	return fmt.Errorf("%w: %s", ErrExpired, invalid.Detail)
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}
