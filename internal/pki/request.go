package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"net/url"

	"github.com/accord-fl/accord/internal/fault"
)

// MaxRequest bounds a signing request that comes from outside, in bytes.
const MaxRequest = 16 << 10

// Request is a checked signing request: its sender holds the key.
type Request struct {
	Identity Identity
	Key      crypto.PublicKey
	KeyHash  string // as KeyOf would give it
	Hosts    []string
}

// NewRequest writes a signing request, PEM, for an identity. hosts are those of
// Certify.
func NewRequest(id Identity, key crypto.Signer, hosts []string) ([]byte, error) {
	if err := id.Validate(); err != nil {
		return nil, err
	}
	template := &x509.CertificateRequest{
		Subject: pkix.Name{Organization: []string{id.Federation}, OrganizationalUnit: []string{string(id.Role)}, CommonName: id.Name},
		URIs:    []*url.URL{id.uri()},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, fmt.Errorf("write a signing request for %s: %w", id, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// ReadRequest reads and checks a signing request that came from outside.
func ReadRequest(data []byte) (Request, error) {
	if len(data) > MaxRequest {
		return Request{}, fault.Inputf("signing request: %d bytes, at most %d are read", len(data), MaxRequest)
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return Request{}, fault.Inputf("signing request: want PEM with a CERTIFICATE REQUEST")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return Request{}, fault.Inputf("signing request: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return Request{}, fault.Inputf("signing request: its sender does not hold the key: %w", err)
	}
	if key, ok := csr.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		return Request{}, fault.Inputf("signing request: want an ECDSA key on P-256, got %s", csr.PublicKeyAlgorithm)
	}
	id, err := identityOf(csr.URIs)
	if err != nil {
		return Request{}, fmt.Errorf("signing request: %w", err)
	}
	r := Request{Identity: id, Key: csr.PublicKey, KeyHash: hexSum(csr.RawSubjectPublicKeyInfo), Hosts: csr.DNSNames}
	for _, ip := range csr.IPAddresses {
		r.Hosts = append(r.Hosts, ip.String())
	}
	return r, nil
}
