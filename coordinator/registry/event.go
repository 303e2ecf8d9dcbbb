package registry

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/accord-fl/accord/internal/pki"
)

// event is what a journal record holds. Only the fields of its kind are set.
type event struct {
	Site    string    `json:"site"`
	Role    pki.Role  `json:"role,omitempty"`   // of a revoked one; empty: participant
	Token   string    `json:"token,omitempty"`  // hash of an invitation's secret
	Key     string    `json:"key,omitempty"`    // fingerprint of an enrolled site's key
	Expires time.Time `json:"expires,omitzero"` // of an invitation or a certificate
	Roots   string    `json:"roots,omitempty"`  // PEM, of a site with an authority of its own
	By      string    `json:"by,omitempty"`     // the admin's name
	Reason  string    `json:"reason,omitempty"` // for people
}

// The kinds of records.
const (
	invited  = "invited"
	enrolled = "enrolled"
	renewed  = "renewed"
	revoked  = "revoked"
	left     = "left"
	trusted  = "trusted"
)

// apply changes the registry by an event. The event has been durable; nothing
// in it is judged any more. mu is held.
func (r *Registry) apply(kind string, at time.Time, e event) error {
	s := r.sites[e.Site]
	s.Name, s.Since = e.Site, at
	switch kind {
	case invited:
		delete(r.tokens, s.token)
		s.token, s.tokenExpires = e.Token, e.Expires
		r.tokens[e.Token] = e.Site
		if s.Status == "" || s.Status == Invited {
			s.Status, s.Expires = Invited, e.Expires
		} else {
			s.Since = r.sites[e.Site].Since
		}
	case enrolled:
		s.Status, s.Key, s.Expires, s.redeemed, s.Reason = Enrolled, e.Key, e.Expires, e.Token, ""
	case renewed:
		s.Expires, s.Since = e.Expires, r.sites[e.Site].Since
	case left:
		s.Status = Left
	case trusted:
		roots, err := pki.DecodeCerts([]byte(e.Roots))
		if err != nil {
			return err
		}
		delete(r.tokens, s.token)
		s.Status, s.roots, s.Reason, s.token = Trusted, roots, "", ""
	case revoked:
		if e.Role == pki.Admin {
			r.admins[e.Site] = e.Reason
			return nil
		}
		delete(r.tokens, s.token)
		s.Status, s.Reason, s.token = Revoked, e.Reason, ""
	default:
		return fmt.Errorf("record of kind %.40q is not known: was it written by a newer version?", kind)
	}
	r.sites[e.Site] = s
	return nil
}

func decode(data []byte) (event, error) {
	var e event
	err := json.Unmarshal(data, &e)
	return e, err
}
