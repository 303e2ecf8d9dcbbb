package rpc

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/spool"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// trusted is what sites should trust, as the coordinator's identity folder had it
// at one time.
type trusted struct {
	roots        []byte   // PEM
	prints       []string // their fingerprints, the newest root first
	endorsements []byte   // PEM
	signer       string   // fingerprint of the root below which certificates are signed
	changed      chan struct{}
}

func (t *trusted) equal(u *trusted) bool {
	return slices.Equal(t.roots, u.roots) && slices.Equal(t.endorsements, u.endorsements) && t.signer == u.signer
}

// anchors knows which roots sites should trust, and what those that attend have
// told of theirs. Methods may be called concurrently; those of nil anchors, of a
// server without certificates, do nothing.
type anchors struct {
	security Security
	log      *zap.Logger

	reading sync.Mutex // held while the files are read; before mu

	mu    sync.Mutex
	now   *trusted
	links map[string]*link // that attend, by name
}

func newAnchors(s *Security, log *zap.Logger) *anchors {
	if s == nil {
		return nil
	}
	a := &anchors{security: *s, log: log, now: &trusted{changed: make(chan struct{})}, links: map[string]*link{}}
	a.refresh()
	return a
}

// refresh looks at the files, and has every site that attends told when they have
// changed. It returns what they say.
func (a *anchors) refresh() *trusted {
	a.reading.Lock()
	defer a.reading.Unlock()
	credential := a.security.Credential
	roots := credential.FreshRoots()
	fresh := &trusted{roots: pki.EncodeCerts(roots), prints: pki.Fingerprints(roots), changed: make(chan struct{})}
	endorsements, err := credential.Endorsements()
	if err != nil {
		a.log.Error("endorsements of roots not readable", zap.Error(err))
	}
	fresh.endorsements = pki.EncodeCerts(endorsements)
	issuer, err := a.security.Issuer()
	a.mu.Lock()
	defer a.mu.Unlock()
	if fresh.signer = a.now.signer; err == nil { // else: half a rotation is over in a moment
		fresh.signer = pki.TopOf(issuer.Chain)
	}
	if a.now.equal(fresh) {
		return a.now
	}
	close(a.now.changed)
	a.now = fresh
	return fresh
}

// watch looks for changes until ctx ends.
func (a *anchors) watch(ctx context.Context) {
	tick := time.NewTicker(judgeEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			a.refresh()
		case <-ctx.Done():
			return
		}
	}
}

// current returns what sites should trust.
func (a *anchors) current() *trusted {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

// enter notes a link that attends, until leave is called.
func (a *anchors) enter(l *link) (leave func()) {
	if a == nil {
		return func() {}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.links[l.Name()] = l
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.links[l.Name()] == l {
			delete(a.links, l.Name())
		}
	}
}

// handed notes that a site was given roots, and a certificate below certified
// unless that is "". One that tells of both by itself is believed instead.
func (a *anchors) handed(id pki.Identity, roots []string, certified string) {
	if id.Role != pki.Participant {
		return
	}
	a.mu.Lock()
	l := a.links[id.Name]
	a.mu.Unlock()
	if l == nil || l.Hello().Has(exchange.FeatureRoots) {
		return
	}
	l.trusts(func(t *trust) {
		t.roots = roots
		if certified != "" {
			t.certified = certified
		}
	})
}

// trustOf returns what the site of that name trusts, while it attends.
func (a *anchors) trustOf(name string) (trust, bool) {
	a.mu.Lock()
	l := a.links[name]
	a.mu.Unlock()
	if l == nil {
		return trust{}, false
	}
	return l.trusts(nil), true
}

// handRoots sends a participant the roots to trust, when it lacks one that it
// needs, or has one that it should no longer have, or always; it returns what is
// closed once they have changed.
func (a *attendance) handRoots(always bool) (changed <-chan struct{}) {
	if a.anchors == nil || !a.link.Hello().Has(exchange.FeatureRoots) {
		return nil
	}
	now := a.anchors.current()
	if always || now.lacking(a.link.trusts(nil)) {
		a.link.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Roots{
			Roots: &accordv1.Roots{Roots: now.roots, Endorsements: now.endorsements, Signer: now.signer},
		}})
	}
	return now.changed
}

// lacking reports whether a site should be told. One that joined after the switch
// needs no root from before it.
func (t *trusted) lacking(site trust) bool {
	stale := func(root string) bool { return !slices.Contains(t.prints, root) }
	return len(t.prints) > 0 && !slices.Contains(site.roots, t.prints[0]) ||
		slices.ContainsFunc(site.roots, stale) ||
		site.certified != "" && site.certified != t.signer
}

// hearTrust notes what the participant trusts from now on. One that took a change
// while the next was under way is told again.
func (a *attendance) hearTrust(m *accordv1.Trust) error {
	hello := a.link.Hello()
	hello.Roots = m.GetRoots()
	if err := hello.Validate(); err != nil {
		return err
	}
	if certified := m.GetCertified(); certified != "" && !spool.ValidDigest(certified) {
		return fault.Inputf("%.80q is not the fingerprint of a root", certified)
	}
	a.link.trusts(func(t *trust) { t.roots, t.certified = m.GetRoots(), m.GetCertified() })
	a.handRoots(false)
	return nil
}

// certifiedBy is the fingerprint of the federation's root above the certificate
// of who makes a call; "" for one of an institution's own authority, or none.
func certifiedBy(ctx context.Context) string {
	c := callerOf(ctx)
	if c.refusal != nil || c.identity.Federation == "" {
		return ""
	}
	return pki.TopOf(c.State.PeerCertificates)
}
