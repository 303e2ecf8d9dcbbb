package pki

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/accord-fl/accord/internal/fault"
)

// Credential is an identity folder in use: a certificate, its key, and the
// roots that are trusted. Files that are replaced are taken up within a second,
// so a renewal needs no restart. Methods may be called concurrently.
type Credential struct {
	dir string

	taking sync.Mutex // held while an offer is taken; before mu

	mu      sync.Mutex
	looked  time.Time // when the files' times were last seen
	changed stamps    // of what is in use
	cert    tls.Certificate
	chain   []*x509.Certificate
	roots   []*x509.Certificate
}

// OpenCredential reads an identity folder.
func OpenCredential(dir string) (*Credential, error) {
	c := &Credential{dir: dir}
	changed, err := c.stamps()
	if err != nil {
		return nil, err
	}
	if err := c.load(changed); err != nil {
		return nil, err
	}
	return c, nil
}

// stamps are when the files were last replaced.
type stamps [3]time.Time

func (c *Credential) stamps() (stamps, error) {
	var at stamps
	for n, file := range []string{CertFile, KeyFile, RootsFile} {
		info, err := os.Stat(filepath.Join(c.dir, file))
		if err != nil {
			err = fmt.Errorf("identity: %w", missing(err))
			if _, waits := os.Stat(filepath.Join(c.dir, RequestFile)); waits == nil {
				err = fmt.Errorf("%w; %s waits to be signed (accord ca sign)", err, filepath.Join(c.dir, RequestFile))
			}
			return at, err
		}
		at[n] = info.ModTime()
	}
	return at, nil
}

// load reads the files. mu is held, or nobody else has c.
func (c *Credential) load(changed stamps) error {
	chain, err := ReadCerts(filepath.Join(c.dir, CertFile))
	if err != nil {
		return err
	}
	key, err := ReadKey(filepath.Join(c.dir, KeyFile))
	if err != nil {
		return err
	}
	roots, err := ReadCerts(filepath.Join(c.dir, RootsFile))
	if err != nil {
		return err
	}
	if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(chain[0].PublicKey) {
		return fault.Inputf("%s: %s is not the key of %s", c.dir, KeyFile, CertFile)
	}
	cert := tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, part := range chain {
		cert.Certificate = append(cert.Certificate, part.Raw)
	}
	c.cert, c.chain, c.roots, c.changed = cert, chain, roots, changed
	return nil
}

// refresh takes up files that have changed. What cannot be read is left
// alone: half a renewal is over in a moment. mu is held.
func (c *Credential) refresh() {
	if time.Since(c.looked) < time.Second {
		return
	}
	c.looked = time.Now()
	if changed, err := c.stamps(); err == nil && changed != c.changed {
		_ = c.load(changed) // as above
	}
}

// Certificate returns the certificate and key now in use.
func (c *Credential) Certificate() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh()
	cert := c.cert
	return &cert
}

// Roots returns the roots now trusted.
func (c *Credential) Roots() []*x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh()
	return c.roots
}

// FreshRoots is Roots for handing on: a file that was replaced a moment ago counts.
func (c *Credential) FreshRoots() []*x509.Certificate {
	c.mu.Lock()
	c.looked = time.Time{}
	c.mu.Unlock()
	return c.Roots()
}

// Dir is the folder.
func (c *Credential) Dir() string { return c.dir }

// Key returns the private key, which stays the same through renewals.
func (c *Credential) Key() crypto.Signer {
	signer, ok := c.Certificate().PrivateKey.(crypto.Signer)
	if !ok {
		panic("pki: a key that was loaded can sign")
	}
	return signer
}

// Identity is the certificate's SPIFFE ID. A certificate of an institution's
// own authority may have none, which is an error.
func (c *Credential) Identity() (Identity, error) { return IdentityOf(c.Certificate().Leaf) }

// Due reports whether the certificate should be renewed: two thirds of its time
// are over, or it has not begun, because a clock was wrong when it was made.
func (c *Credential) Due(now time.Time) bool {
	leaf := c.Certificate().Leaf
	return now.Before(leaf.NotBefore) || now.After(leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore)/3))
}

// Chain is the certificate now in use and those above it, the root last.
func (c *Credential) Chain() []*x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh()
	return c.chain
}

// Endorsements are the certificates by which roots vouch for other roots, as
// the folder has them now; none when there is no such file.
func (c *Credential) Endorsements() ([]*x509.Certificate, error) {
	certs, err := ReadCerts(filepath.Join(c.dir, EndorsementsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return certs, err
}

// Replace keeps a new certificate for the same key, and the roots to trust from
// now on. A nil chain, or nil roots, stay as they are.
func (c *Credential) Replace(chain, roots []*x509.Certificate) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if chain != nil {
		public, ok := c.cert.Leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !public.Equal(chain[0].PublicKey) {
			return errors.New("pki: the new certificate is for another key")
		}
		if err := WriteCerts(filepath.Join(c.dir, CertFile), chain); err != nil {
			return err
		}
	}
	if roots != nil {
		if err := WriteCerts(filepath.Join(c.dir, RootsFile), roots); err != nil {
			return err
		}
	}
	changed, err := c.stamps()
	if err != nil {
		return err
	}
	return c.load(changed)
}
