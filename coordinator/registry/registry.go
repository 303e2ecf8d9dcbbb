package registry

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
)

// Status is how a site stands.
type Status string

// The statuses.
const (
	Invited  Status = "invited"  // has a token, and no key yet
	Enrolled Status = "enrolled" // has a certificate of the federation
	Trusted  Status = "trusted"  // has a certificate of its institution's authority
	Revoked  Status = "revoked"
	Left     Status = "left"
)

// Site is how a site stands, for people.
type Site struct {
	Name    string
	Status  Status
	Key     string    // fingerprint of an enrolled site's key
	Since   time.Time // of the status
	Expires time.Time // of the invitation, or of the newest certificate
	Reason  string    // why it was revoked

	token        string // hash of the secret of an invitation that is open or redeemed
	tokenExpires time.Time
	redeemed     string // hash of the secret with which Key was enrolled
	roots        []*x509.Certificate
}

// Store is the journal of a registry.
type Store interface {
	journal.Store
	// Head is how far the store reaches on disk.
	Head() journal.Head
}

// Anchor makes a registry's head durable outside of the registry, so that the
// end of its journal cannot be lost unnoticed.
type Anchor func(ctx context.Context, head journal.Head) error

// Registry is who belongs. Methods may be called concurrently.
type Registry struct {
	store Store

	// changing is held through a change, which waits for disks. Whoever is to be
	// let in does not wait: that takes mu alone, which changing precedes.
	changing sync.Mutex
	head     uint64
	anchor   Anchor // nil: there is none
	loose    bool   // the head is not anchored

	mu     sync.RWMutex
	ended  []func(role pki.Role, name string)
	sites  map[string]Site
	tokens map[string]string // hash of a secret → site
	admins map[string]string // revoked ones, and why
}

// Open rebuilds the registry from its journal, which the caller closes.
func Open(ctx context.Context, store Store) (*Registry, error) {
	r := &Registry{store: store, sites: map[string]Site{}, tokens: map[string]string{}, admins: map[string]string{}}
	head, err := store.Replay(ctx, func(rec journal.Record) error {
		e, err := decode(rec.Data)
		if err != nil {
			return err
		}
		return r.apply(rec.Kind, rec.At, e)
	})
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	r.head = head
	return r, nil
}

// AnchorIn lets every change, before it is answered, anchor the head that it
// leads to. It is called before the first change.
func (r *Registry) AnchorIn(anchor Anchor) {
	r.changing.Lock()
	defer r.changing.Unlock()
	r.anchor = anchor
}

// record makes an event durable and then true. When the head that it leads to
// cannot be anchored, the change holds and is answered with an error; no other
// change is made before that is done. changing is held.
func (r *Registry) record(ctx context.Context, kind string, e event) error {
	if err := r.settle(ctx); err != nil {
		return fmt.Errorf("registry: an earlier change is not answered yet: %w", errors.Unwrap(err))
	}
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	rec := journal.Record{Seq: r.head + 1, At: time.Now().UTC(), Kind: kind, Data: data}
	if err := r.store.Append(ctx, r.head, []journal.Record{rec}); err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	r.head++
	r.loose = true
	anchored := r.settle(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.apply(kind, rec.At, e), anchored)
}

// settle anchors the head, unless it is anchored. changing is held.
func (r *Registry) settle(ctx context.Context) error {
	if r.loose && r.anchor != nil {
		if err := r.anchor(ctx, r.store.Head()); err != nil {
			return &looseError{err}
		}
	}
	r.loose = false
	return nil
}

// looseError reports that the registry's head could not be anchored. The change
// that has led to it holds.
type looseError struct{ err error }

func (e *looseError) Error() string { return "registry: " + e.err.Error() }

func (e *looseError) Unwrap() error { return e.err }

// holds reports whether the change that record has returned err for is true.
func holds(err error) bool {
	var loose *looseError
	return err == nil || errors.As(err, &loose)
}

// Invite opens an invitation for a site, in place of an earlier one. Of its
// secret only the hash is known here. A site that belongs already keeps its key
// until somebody redeems the invitation.
func (r *Registry) Invite(ctx context.Context, site, token, by string, expires time.Time) error {
	switch {
	case !exchange.ValidName(site):
		return fault.Inputf("%.80q cannot name a site: want letters, digits, '.', '_' and '-', at most 64", site)
	case len(token) != 64:
		return fault.Inputf("invitation for %s: want the hash of a secret", site)
	case !expires.After(time.Now()):
		return fault.Inputf("invitation for %s: it would have expired already", site)
	}
	r.changing.Lock()
	defer r.changing.Unlock()
	if r.sites[site].Status == Trusted {
		return fault.As(fault.Exists, fmt.Errorf("site %s has a certificate of its own institution; revoke it first", site))
	}
	return r.record(ctx, invited, event{Site: site, Token: token, Expires: expires.UTC(), By: by})
}

// Invited tells which site a secret invites; one that lets nobody in is a
// *Refusal.
func (r *Registry) Invited(secret string) (site string, err error) {
	token := pki.HashSecret(secret)
	r.mu.RLock()
	defer r.mu.RUnlock()
	site, known := r.tokens[token]
	if s := r.sites[site]; !known || s.token != token || !time.Now().Before(s.tokenExpires) {
		return "", badToken()
	}
	return site, nil
}

// Enroll redeems an invitation with a site's key, whose first certificate
// lasts until expires. The same key may redeem the same invitation again while
// it lasts: the answer may have been lost. It returns the site's name; a token that
// lets nobody in is a *Refusal. Whoever still speaks with an earlier key of the
// site is ended.
func (r *Registry) Enroll(ctx context.Context, secret, key string, expires time.Time) (site string, err error) {
	site, replaced, err := r.enroll(ctx, pki.HashSecret(secret), key, expires)
	if replaced {
		r.tell(pki.Participant, site)
	}
	return site, err
}

func (r *Registry) enroll(ctx context.Context, token, key string, expires time.Time) (site string, replaced bool, err error) {
	r.changing.Lock()
	defer r.changing.Unlock()
	site, known := r.tokens[token]
	s := r.sites[site]
	if !known || s.token != token || !time.Now().Before(s.tokenExpires) {
		return "", false, badToken()
	}
	if s.redeemed == token {
		if s.Key != key || s.Status != Enrolled {
			return "", false, badToken()
		}
		return site, false, r.settle(ctx)
	}
	err = r.record(ctx, enrolled, event{Site: site, Token: token, Key: key, Expires: expires.UTC()})
	return site, holds(err) && s.Key != "" && s.Key != key, err
}

// Renewed notes until when a site's new certificate lasts. It may end before the
// one so far does, which a wrong clock had made.
func (r *Registry) Renewed(ctx context.Context, site string, expires time.Time) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	return r.record(ctx, renewed, event{Site: site, Expires: expires.UTC()})
}

// Trust admits a site by certificates of its institution's own authority, and by
// nothing else.
func (r *Registry) Trust(ctx context.Context, site, by string, roots []*x509.Certificate) error {
	if !exchange.ValidName(site) {
		return fault.Inputf("%.80q cannot name a site: want letters, digits, '.', '_' and '-', at most 64", site)
	}
	for _, root := range roots {
		if !root.IsCA {
			return fault.Inputf("%s is the certificate of no authority: want the one that signs the site's", root.Subject)
		}
	}
	r.changing.Lock()
	err := r.record(ctx, trusted, event{Site: site, Roots: string(pki.EncodeCerts(roots)), By: by})
	r.changing.Unlock()
	if holds(err) {
		r.tell(pki.Participant, site) // with other roots, or a key of the federation
	}
	return err
}

// Revoke ends the access of a site, or of an admin, at once.
func (r *Registry) Revoke(ctx context.Context, role pki.Role, name, by, reason string) error {
	err := r.end(ctx, role, name, revoked, event{Site: name, Role: role, By: by, Reason: reason})
	if holds(err) {
		r.tell(role, name)
	}
	return err
}

// answerWithin is how long a site that leaves has to hear that it has left.
const answerWithin = time.Second

// Leave ends a site's access by its own will.
func (r *Registry) Leave(ctx context.Context, site, reason string) error {
	err := r.end(ctx, pki.Participant, site, left, event{Site: site, Reason: reason})
	if holds(err) {
		time.AfterFunc(answerWithin, func() { r.tell(pki.Participant, site) })
	}
	return err
}

func (r *Registry) end(ctx context.Context, role pki.Role, name, kind string, e event) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	switch s, known := r.sites[name]; {
	case role == pki.Admin:
	case role != pki.Participant:
		return fault.Inputf("a %s cannot be revoked here", role)
	case !known:
		return fault.Inputf("there is no site %.80q", name)
	case r.loose && (s.Status == Revoked && kind == revoked || s.Status == Left && kind == left):
		return r.settle(ctx) // perhaps the same again, of which nobody was told that it holds
	case s.Status == Revoked || s.Status == Left && kind == left:
		return fault.Inputf("site %s is %s already", name, s.Status)
	}
	return r.record(ctx, kind, e)
}

// OnEnd adds somebody who is told, once it is durable, whose connections so far
// nobody may serve any longer. It must be quick.
func (r *Registry) OnEnd(ended func(role pki.Role, name string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = append(r.ended, ended)
}

func (r *Registry) tell(role pki.Role, name string) {
	r.mu.RLock()
	ended := r.ended
	r.mu.RUnlock()
	for _, tell := range ended {
		tell(role, name)
	}
}

// Sites returns how all sites stand, by name.
func (r *Registry) Sites() []Site {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]Site, 0, len(r.sites))
	for _, name := range slices.Sorted(maps.Keys(r.sites)) {
		all = append(all, r.sites[name])
	}
	return all
}
