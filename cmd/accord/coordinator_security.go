package main

import (
	"context"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/registry"
	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/pki"
)

// secure opens what certificates are checked with and signed by. records is the
// journal of the registry.
func (n *node) secure(ctx context.Context, cfg config.Coordinator, records *journal.File) error {
	credential, err := pki.OpenCredential(cfg.Identity)
	if err != nil {
		return err
	}
	issuer := func() (*pki.Authority, error) {
		return pki.LoadAuthority(filepath.Join(cfg.Identity, pki.IssuerFile), filepath.Join(cfg.Identity, pki.IssuerKeyFile))
	}
	if _, err := issuer(); err != nil {
		return err
	}
	members, err := registry.Open(ctx, records)
	if err != nil {
		return err
	}
	n.security = &rpc.Security{Credential: credential, Registry: members, Issuer: issuer}
	return nil
}

// lookEvery is how often the coordinator looks at its own certificate: one that
// was made by a wrong clock shuts everybody out until it is replaced.
const lookEvery = time.Minute

// renew keeps the coordinator's own certificate fresh, which its issuer signs.
func (n *node) renew(ctx context.Context, log *zap.Logger) error {
	if n.security == nil {
		return nil
	}
	every := time.NewTicker(lookEvery)
	defer every.Stop()
	var warned, failed time.Time
	for {
		if warned.IsZero() || time.Since(warned) >= 24*time.Hour {
			warned = time.Now()
			n.warnOfIssuer(log)
		}
		if err := n.renewOnce(log); err != nil && (failed.IsZero() || time.Since(failed) >= time.Hour) {
			failed = time.Now()
			log.Error("certificate not renewed", zap.Error(err))
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (n *node) renewOnce(log *zap.Logger) error {
	credential := n.security.Credential
	id, err := credential.Identity()
	if err != nil || !credential.Due(time.Now()) {
		return nil // another authority's, or still young
	}
	leaf := credential.Certificate().Leaf
	issuer, err := n.security.Issuer()
	if err != nil {
		return err
	}
	chain, err := issuer.Certify(id, leaf.PublicKey, hostsOf(leaf), pki.LeafLifetime)
	if err != nil {
		return err
	}
	if again := chain[0].NotAfter.Sub(leaf.NotAfter).Abs() < renewAgain; again && !time.Now().Before(leaf.NotBefore) {
		return nil // the issuer ends when the certificate does; warnOfIssuer says so
	}
	if err := credential.Replace(chain, nil); err != nil {
		return err
	}
	log.Info("certificate renewed", zap.String("valid_until", chain[0].NotAfter.Format(time.RFC3339)))
	return nil
}

// renewAgain is by how much the end of a new certificate must differ.
const renewAgain = time.Hour

// warnOfIssuer tells, in time, that the issuer ends, and with it everybody's
// certificate. It does not renew itself: that takes the root.
func (n *node) warnOfIssuer(log *zap.Logger) {
	issuer, err := n.security.Issuer()
	if err != nil {
		log.Error("issuer not readable", zap.Error(err))
		return
	}
	if until := issuer.Cert.NotAfter; time.Until(until) < pki.LeafLifetime {
		log.Warn("issuer ends soon", zap.String("valid_until", until.Format(time.RFC3339)), zap.String("next", "accord federation rotate, or accord ca sign issuer.csr where the root is elsewhere"))
	}
}
