package main

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/internal/pki"
)

// A certificate that a clock a month ahead has made for the coordinator is
// replaced as soon as the clock is right; a good one stays.
func TestACertificateFromTheFutureIsReplaced(t *testing.T) {
	dir := t.TempDir()
	var root *pki.Authority
	synctest.Test(t, func(t *testing.T) {
		key, err := pki.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		if root, err = pki.NewRoot("heart", pki.RootLifetime); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * 24 * time.Hour)
		id := pki.Identity{Federation: "heart", Role: pki.Coordinator, Name: "coordinator"}
		chain, err := root.Certify(id, key.Public(), []string{"fl.example.org"}, pki.LeafLifetime)
		if err == nil {
			err = errors.Join(pki.WriteKey(filepath.Join(dir, pki.KeyFile), key),
				pki.WriteCerts(filepath.Join(dir, pki.CertFile), chain), pki.WriteCerts(filepath.Join(dir, pki.RootsFile), root.Chain))
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	synctest.Test(t, func(t *testing.T) { // begins where every bubble does, a month earlier
		credential, err := pki.OpenCredential(dir)
		if err != nil {
			t.Fatal(err)
		}
		n := &node{security: &rpc.Security{Credential: credential, Issuer: func() (*pki.Authority, error) { return root, nil }}}
		var serials []string
		for range 2 {
			if err := n.renewOnce(zap.NewNop()); err != nil {
				t.Fatal(err)
			}
			leaf := credential.Certificate().Leaf
			if time.Now().Before(leaf.NotBefore) || leaf.VerifyHostname("fl.example.org") != nil {
				t.Errorf("the certificate begins at %v, for %v", leaf.NotBefore, leaf.DNSNames)
			}
			serials = append(serials, leaf.SerialNumber.String())
		}
		if serials[0] != serials[1] {
			t.Error("a good certificate was replaced")
		}
	})
}
