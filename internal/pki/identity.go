package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"net/url"
	"regexp"
	"strings"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
)

// Role is what a certificate lets its holder do.
type Role string

// The roles.
const (
	Participant Role = "participant" // attends, downloads, uploads
	Coordinator Role = "coordinator" // is dialled
	Admin       Role = "admin"       // steers runs, invites and revokes
	Issuer      Role = "issuer"      // signs the others' certificates
)

// Identity is who a certificate speaks for.
type Identity struct {
	Federation string
	Role       Role
	Name       string // unique within federation and role
}

// federationName is the trust domain of a SPIFFE ID (SPIFFE-ID, section 2.1).
var federationName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)

// Validate reports, as an error of class fault.Input, what cannot be a name.
func (i Identity) Validate() error {
	if !federationName.MatchString(i.Federation) {
		return fault.Inputf("federation name %.80q is not valid: want lower-case letters, digits, '.' and '-', at most 63", i.Federation)
	}
	switch i.Role {
	case Participant, Coordinator, Admin, Issuer:
	default:
		return fault.Inputf("role %.40q is not known", i.Role)
	}
	if !exchange.ValidName(i.Name) {
		return fault.Inputf("%s name %.80q is not valid: want letters, digits, '.', '_' and '-', at most 64", i.Role, i.Name)
	}
	return nil
}

// String returns the SPIFFE ID.
func (i Identity) String() string { return i.uri().String() }

func (i Identity) uri() *url.URL {
	return &url.URL{Scheme: "spiffe", Host: i.Federation, Path: "/" + string(i.Role) + "/" + i.Name}
}

// IdentityOf reads the SPIFFE ID of a certificate. It says nothing about who
// signed it.
func IdentityOf(c *x509.Certificate) (Identity, error) { return identityOf(c.URIs) }

func identityOf(uris []*url.URL) (Identity, error) {
	if len(uris) != 1 {
		return Identity{}, fault.Inputf("the certificate names %d identities, want one SPIFFE ID", len(uris))
	}
	u := uris[0]
	parts := strings.Split(u.Path, "/")
	if u.Scheme != "spiffe" || len(parts) != 3 || parts[0] != "" {
		return Identity{}, fault.Inputf("identity %.120q is not of the form spiffe://FEDERATION/ROLE/NAME", u)
	}
	i := Identity{Federation: u.Host, Role: Role(parts[1]), Name: parts[2]}
	if err := i.Validate(); err != nil {
		return Identity{}, err
	}
	if u.String() != i.String() { // a user, a port, a query or a fragment beside it
		return Identity{}, fault.Inputf("identity %.120q has more than federation, role and name", u)
	}
	return i, nil
}

// KeyOf is the fingerprint of a certificate's key: SHA-256 of its
// SubjectPublicKeyInfo, hexadecimal. It stays when the certificate is renewed.
func KeyOf(c *x509.Certificate) string { return hexSum(c.RawSubjectPublicKeyInfo) }

// Fingerprint is SHA-256 of a whole certificate, hexadecimal, as
// `openssl x509 -fingerprint -sha256` prints it, without colons.
func Fingerprint(c *x509.Certificate) string { return hexSum(c.Raw) }

// Fingerprints are those of certificates, in their order.
func Fingerprints(certs []*x509.Certificate) []string {
	var all []string
	for _, c := range certs {
		all = append(all, Fingerprint(c))
	}
	return all
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
