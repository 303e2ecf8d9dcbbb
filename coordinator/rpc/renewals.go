package rpc

import (
	"sync"
	"time"

	"github.com/accord-fl/accord/coordinator/registry"
)

// renewAgain is how long a site waits for the next certificate below the same
// root: each renewal is a record of the registry.
const renewAgain = time.Minute

// renewals bounds how often sites are given new certificates. The time is
// measured, not read from a clock that may be set: when a wrong clock is put
// right, certificates that it has made must not stand in the way of new ones.
// Methods may be called concurrently.
type renewals struct {
	mu    sync.Mutex
	sites map[string]issued
}

// issued is the last certificate of a site.
type issued struct {
	at   time.Time
	root string // fingerprint of the root above it
}

func newRenewals() *renewals { return &renewals{sites: map[string]issued{}} }

// admit notes that a site is given a certificate below a root; one too soon is a
// *registry.Refusal.
func (r *renewals) admit(site, root string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, known := r.sites[site]
	if known && last.root == root && time.Since(last.at) < renewAgain {
		return &registry.Refusal{Reason: registry.TooMany, Text: "site " + site + " was given a new certificate a moment ago; wait a minute"}
	}
	r.sites[site] = issued{time.Now(), root}
	return nil
}
