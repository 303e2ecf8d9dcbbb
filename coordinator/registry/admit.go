package registry

import (
	"crypto/x509"
	"errors"

	"github.com/accord-fl/accord/internal/pki"
)

// Reason is why a caller is refused, for counting.
type Reason string

// The reasons.
const (
	NoCertificate Reason = "no certificate"
	Foreign       Reason = "foreign certificate"
	Expired       Reason = "expired certificate"
	NotYetValid   Reason = "certificate not valid yet"
	RevokedCaller Reason = "revoked"
	LeftCaller    Reason = "left"
	UnknownCaller Reason = "not enrolled"
	ReplacedKey   Reason = "another key has joined"
	WrongRole     Reason = "role"
	WrongName     Reason = "another's name"
	BadToken      Reason = "token"
	TooMany       Reason = "too many tries"
	Malformed     Reason = "malformed"
)

// Refusal is why a caller is not let in.
type Refusal struct {
	Reason Reason
	Text   string // what is wrong and what to do
}

func (r *Refusal) Error() string { return r.Text }

// Identify tells who presents a chain of certificates, leaf first, when the
// federation's roots or a site's own authority stand behind it. The error is a
// *Refusal. Whether that caller still belongs is Admit's matter.
func (r *Registry) Identify(chain, roots []*x509.Certificate) (pki.Identity, error) {
	if len(chain) == 0 {
		return pki.Identity{}, &Refusal{NoCertificate, "this needs a certificate of the federation: accord participant join TOKEN gets one, --identity DIR names one"}
	}
	err := pki.Verify(chain, roots)
	if err == nil {
		id, err := pki.IdentityOf(chain[0])
		if err != nil {
			return id, &Refusal{Foreign, err.Error()}
		}
		return id, nil
	}
	if site, ok := r.ofInstitution(chain); ok {
		return pki.Identity{Role: pki.Participant, Name: site}, nil
	}
	if errors.Is(err, pki.ErrNotYetValid) {
		return pki.Identity{}, &Refusal{NotYetValid, err.Error() + ": is the coordinator's clock right, and was it when it signed the certificate?"}
	}
	if errors.Is(err, pki.ErrExpired) {
		again := "join again with a new token (accord invite, accord participant join)"
		if id, err := pki.IdentityOf(chain[0]); err == nil && id.Role == pki.Admin {
			again = "make another where the authority is (accord federation admin)"
		}
		return pki.Identity{}, &Refusal{Expired, err.Error() + ": is the coordinator's clock right? If it is, " + again}
	}
	return pki.Identity{}, &Refusal{Foreign, "the certificate is not of this federation: " + err.Error()}
}

// ofInstitution finds the site that has an authority of its own which stands
// behind the chain, and whose name the certificate has, as common name or
// among its DNS names; also one that has left or was revoked, to be told so.
func (r *Registry) ofInstitution(chain []*x509.Certificate) (site string, ok bool) {
	leaf := chain[0]
	for _, name := range append([]string{leaf.Subject.CommonName}, leaf.DNSNames...) {
		r.mu.RLock()
		s := r.sites[name]
		r.mu.RUnlock()
		if s.Status != Enrolled && len(s.roots) > 0 && pki.Verify(chain, s.roots) == nil {
			return name, true
		}
	}
	return "", false
}

// Admit reports whether who was identified, with this key, belongs at this
// moment. The error is a *Refusal.
func (r *Registry) Admit(id pki.Identity, key string) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if id.Role == pki.Admin {
		if reason, gone := r.admins[id.Name]; gone {
			return &Refusal{RevokedCaller, "admin " + id.Name + " was revoked" + because(reason)}
		}
		return nil
	}
	if id.Role != pki.Participant {
		return nil
	}
	s, known := r.sites[id.Name]
	switch {
	case !known:
		return &Refusal{UnknownCaller, "site " + id.Name + " has never joined this federation"}
	case s.Status == Revoked:
		return &Refusal{RevokedCaller, "site " + id.Name + " was revoked" + because(s.Reason)}
	case s.Status == Left:
		return &Refusal{LeftCaller, "site " + id.Name + " has left the federation; another token lets it join again"}
	case s.Status == Trusted && id.Federation == "": // by its own authority
		return nil
	case s.Status != Enrolled || s.Key != key:
		return &Refusal{ReplacedKey, "site " + id.Name + " has joined with another key since"}
	}
	return nil
}

func badToken() error {
	return &Refusal{BadToken, "the token is not valid here: it was used, has expired or was withdrawn; ask for another (accord invite)"}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}
