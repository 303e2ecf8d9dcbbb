package pki

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/fault"
)

// The files of an identity folder; the first three are named as Kubernetes and
// cert-manager name them.
const (
	CertFile  = "tls.crt" // certificate and the chain above it
	KeyFile   = "tls.key" // its private key
	RootsFile = "ca.crt"  // the roots that are trusted; several during a rotation
	// EndorsementsFile holds, at the coordinator, certificates by which roots
	// vouch for the keys of other roots; there need be none.
	EndorsementsFile = "endorsements.crt"
	IssuerFile       = "issuer.crt" // the coordinator's authority, and its chain
	IssuerKeyFile    = "issuer.key"
	RequestFile      = "tls.csr" // waits to be signed elsewhere
	IssuerRequest    = "issuer.csr"
)

// WriteKey writes a private key that only its owner can read.
func WriteKey(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return atomicfile.WriteSecret(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// WriteCerts writes certificates, one after another.
func WriteCerts(path string, certs []*x509.Certificate) error {
	return atomicfile.WriteBytes(path, EncodeCerts(certs))
}

// EncodeCerts is PEM of certificates, one after another.
func EncodeCerts(certs []*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// maxCerts bounds the certificates that are read from one place.
const maxCerts = 64

// DecodeCerts reads PEM of at least one certificate and nothing else. It may
// come from outside.
func DecodeCerts(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		switch {
		case block == nil && len(certs) == 0:
			return nil, fault.Inputf("want PEM with certificates")
		case block == nil:
			return certs, nil
		case block.Type != "CERTIFICATE":
			return nil, fault.Inputf("want certificates only, got a %.40s", block.Type)
		case len(certs) == maxCerts:
			return nil, fault.Inputf("more than %d certificates", maxCerts)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fault.Inputf("certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, c)
	}
}

// ReadCerts reads the certificates in a file.
func ReadCerts(path string) ([]*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, missing(err)
	}
	certs, err := DecodeCerts(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return certs, nil
}

// ReadKey reads a private key. One that others can read is refused, as ssh
// does it.
func ReadKey(path string) (crypto.Signer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, missing(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0 {
		return nil, fault.Inputf("%s: everybody on this machine can read this private key (mode %04o): chmod 600 %s", path, info.Mode().Perm(), path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, missing(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fault.Inputf("%s: want PEM with a private key", path)
	}
	key, err := parseKey(block)
	if err != nil {
		return nil, fault.Inputf("%s: %w", path, err)
	}
	return key, nil
}

// parseKey reads the forms in which openssl and Go write keys.
func parseKey(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("a %.40s is not a private key that can be read; encrypted keys cannot", block.Type)
	}
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("this kind of key cannot sign")
	}
	return signer, nil
}

// LoadAuthority reads an authority from its certificate, which its chain may
// follow, and its key.
func LoadAuthority(certPath, keyPath string) (*Authority, error) {
	chain, err := ReadCerts(certPath)
	if err != nil {
		return nil, err
	}
	key, err := ReadKey(keyPath)
	if err != nil {
		return nil, err
	}
	cert := chain[0]
	if !cert.IsCA || len(cert.Subject.Organization) != 1 {
		return nil, fault.Inputf("%s: not the certificate of a federation's authority", certPath)
	}
	if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(cert.PublicKey) {
		return nil, fault.Inputf("%s is not the key of %s; if a rotation of the root was interrupted, run its step again", keyPath, certPath)
	}
	return &Authority{Federation: cert.Subject.Organization[0], Cert: cert, Chain: chain, key: key}, nil
}

// Save writes the authority's key and then its certificate, so that a certificate
// is never without its key.
func (a *Authority) Save(certPath, keyPath string) error {
	if err := WriteKey(keyPath, a.key); err != nil {
		return err
	}
	return WriteCerts(certPath, a.Chain)
}

// MakeFolder makes a folder that only its owner can read.
func MakeFolder(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fault.As(fault.Input, err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fault.As(fault.Input, err)
	}
	return nil
}

// missing puts a file that is not there into its class.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return fault.As(fault.Input, err)
	}
	return err
}
