package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/quote"
)

// How long the steps of a rotation are apart at least: sites ask for the roots
// to trust every few hours, and hold certificates for a month.
const (
	beforeSwitch = 24 * time.Hour
	beforeEnd    = pki.SiteLifetime
)

func newFederationRotateCmd() *cobra.Command {
	var now, force bool
	cmd := &cobra.Command{
		Use:   "rotate begin|switch|end DIR",
		Short: "Replace the root, with an overlap, while the federation runs",
		Long: `Replace the root of a federation that lies in one folder, in three steps; the
coordinator goes on running:

  begin   make the next root, for which the old one vouches; sites are told at
          once to trust both
  switch  sign with the next root, at the earliest after a day; sites that
          attend renew their certificates at once
  end     trust the next root only, at the earliest after 30 days, when the
          certificates from before switch have ended

Switch and end ask the coordinator which sites are ready, and list them. A step
that comes too early for sites that may be away is refused; --now takes it all
the same. A step for which a site that attends is not ready is refused, too, and
so is one while the coordinator does not run, since nobody knows then; --force
takes it all the same, for instance when a root's key has leaked. Sites that are
shut out join again with a token. A step that was interrupted is run again.`,
		Example:   "  accord federation rotate begin heart\n  accord federation rotate end heart --now\n  accord federation rotate switch heart --now --force",
		Args:      cobra.ExactArgs(2),
		ValidArgs: []string{"begin", "switch", "end"},
		RunE: func(cmd *cobra.Command, args []string) error {
			r := rotation{founding{dir: args[1]}, now, force, readyWithin, cmd.OutOrStdout()}
			var done quote.Raw
			var err error
			switch args[0] {
			case "begin":
				done, err = quote.Sprintf("Sites are told to trust the next root too, those that are away as they connect. After a day or more:\n  %s", again("federation", "rotate", "switch", args[1])), r.take(func() error { return r.begin(cmd.Context()) })
			case "switch":
				done, err = quote.Sprintf("Certificates are signed below the next root. After %s:\n  %s", time.Now().Add(beforeEnd).Format(time.DateOnly), again("federation", "rotate", "end", args[1])), r.take(func() error { return r.change(cmd.Context()) })
			case "end":
				done, err = "The old root is trusted no more.", r.take(func() error { return r.end(cmd.Context()) })
			default:
				return fault.Usagef("%q is no step of a rotation: begin, switch or end", args[0])
			}
			if err != nil {
				return err
			}
			return quote.Fprintf(cmd.OutOrStdout(), "%s\n", done)
		},
	}
	cmd.Flags().BoolVar(&now, "now", false, "do not wait between the steps; sites that are away and not ready are shut out until they join again")
	cmd.Flags().BoolVar(&force, "force", false, "do not ask which of the sites that attend are ready")
	return cmd
}

// rotation changes a federation's root.
type rotation struct {
	founding
	now    bool          // whatever sites that are away are ready for
	force  bool          // whatever sites that attend are ready for
	within time.Duration // sites that attend must be ready
	stdout io.Writer
}

// due refuses a step that comes sooner than wait after the certificate was made
// with which the step before it began.
func (r rotation) due(step string, made *x509.Certificate, wait time.Duration) error {
	from := made.NotBefore.Add(wait)
	if r.now || time.Now().After(from) {
		return nil
	}
	return fault.Inputf("%s is too early before %s: it would shut out sites that are away and not ready; --now takes it all the same", step, from.Local().Format("2006-01-02 15:04 MST"))
}

func (r rotation) ca(file string) string { return filepath.Join(r.caDir(), file) }

// take runs a step; two at a time would mix their files. A step that was
// interrupted is run again, and goes on.
func (r rotation) take(step func() error) (err error) {
	lock := flock.New(r.ca("rotation.lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return fault.As(fault.Input, fmt.Errorf("%s: does the federation's root lie here? %w", r.dir, err))
	}
	if !locked {
		return fault.As(fault.Unavailable, fmt.Errorf("another step of a rotation is under way in %s", r.dir))
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if err := r.sweep(); err != nil {
		return err
	}
	return step()
}

// sweep removes keys that an interrupted step had not put in their place.
func (r rotation) sweep() error {
	for _, pattern := range []string{r.ca(".*.tmp"), filepath.Join(r.identityDir(), ".issuer.key.*.tmp")} {
		stale, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, file := range stale {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin makes the next root, vouches for it, and has it trusted.
func (r rotation) begin(ctx context.Context) error {
	if exists(r.ca(oldCert)) {
		return fault.As(fault.Exists, fmt.Errorf("%s is there: a rotation has begun and not ended", r.ca(oldCert)))
	}
	root, err := pki.LoadAuthority(r.ca(rootCert), r.ca(rootKey))
	if err != nil {
		return err
	}
	next, err := r.next(root.Federation)
	if err != nil {
		return err
	}
	sites, err := trusts(r.identityDir(), next)
	if err != nil {
		return err
	}
	admin, err := trusts(r.adminDir(), next)
	if err != nil {
		return err
	}
	if sites && admin {
		return fault.As(fault.Exists, fmt.Errorf("%s is there, and trusted: a rotation has begun and not ended", r.ca(nextCert)))
	}
	if err := errors.Join(r.vouch(root, next), r.trust(next, root.Cert)); err != nil {
		return err
	}
	r.announce(ctx)
	return nil
}

// vouch keeps the root's signature for the next one where the coordinator finds
// it.
func (r rotation) vouch(root *pki.Authority, next *x509.Certificate) error {
	endorsement, err := root.Endorse(next)
	if err != nil {
		return err
	}
	return pki.WriteCerts(filepath.Join(r.identityDir(), pki.EndorsementsFile), []*x509.Certificate{endorsement})
}

// vouched makes up for a begin, of an older version, that has not vouched for the
// next root, while the old one's key is still here.
func (r rotation) vouched(next *x509.Certificate) error {
	old, err := pki.ReadCerts(r.ca(rootCert))
	if err != nil {
		return err
	}
	endorsements, err := pki.ReadCerts(filepath.Join(r.identityDir(), pki.EndorsementsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, refused := pki.Admissible(old, []*x509.Certificate{next}, endorsements); len(refused) == 0 {
		return nil
	}
	root, err := pki.LoadAuthority(r.ca(rootCert), r.ca(rootKey))
	if err != nil {
		return err
	}
	return r.vouch(root, next)
}

// next is the next root's certificate. One that no site can have been told of is
// made again, for the time before the switch to count from when they are.
func (r rotation) next(federation string) (*x509.Certificate, error) {
	if exists(r.ca(nextCert)) {
		next, err := pki.ReadCerts(r.ca(nextCert))
		if err != nil {
			return nil, err
		}
		if told, err := trusts(r.identityDir(), next[0]); told || err != nil {
			return next[0], err
		}
	}
	next, err := pki.NewRoot(federation, pki.RootLifetime)
	if err != nil {
		return nil, err
	}
	return next.Cert, next.Save(r.ca(nextCert), r.ca(nextKey))
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}

// trusts reports whether the identity in dir trusts a root.
func trusts(dir string, root *x509.Certificate) (bool, error) {
	roots, err := pki.ReadCerts(filepath.Join(dir, pki.RootsFile))
	return slices.ContainsFunc(roots, root.Equal), err
}

// change signs what the coordinator and the admin hold below the next root, and
// makes that the root. Until next.crt has become ca.crt, which is last, it can be
// run again.
func (r rotation) change(ctx context.Context) error {
	if !exists(r.ca(nextCert)) {
		if exists(r.ca(oldCert)) {
			return fault.As(fault.Exists, errors.New("the switch is done; end is next"))
		}
		return fault.Inputf("no rotation has begun: begin comes before switch")
	}
	key := r.ca(nextKey)
	if !exists(key) { // it has become the root's already
		key = r.ca(rootKey)
	}
	next, err := pki.LoadAuthority(r.ca(nextCert), key)
	if err != nil {
		return err
	}
	if told, err := trusts(r.identityDir(), next.Cert); err != nil {
		return err
	} else if !told {
		return fault.Inputf("begin was interrupted, and no site has been told of the next root: run it again")
	}
	if err := r.due("switch", next.Cert, beforeSwitch); err != nil {
		return err
	}
	if err := r.vouched(next.Cert); err != nil {
		return err
	}
	if err := r.ready(ctx, "switch", trustsRoot(next.Cert)); err != nil {
		return err
	}
	root, err := pki.ReadCerts(r.ca(rootCert))
	if err != nil {
		return err
	}
	// An admin may have been told of other roots since.
	if err := r.trust(next.Cert, root[0]); err != nil {
		return err
	}
	for base, fresh := range map[string]bool{
		filepath.Join(r.identityDir(), "issuer"): true, filepath.Join(r.identityDir(), "tls"): false, filepath.Join(r.adminDir(), "tls"): false,
	} {
		if err := r.resign(next, base, fresh); err != nil {
			return err
		}
	}
	if err := pki.WriteCerts(r.ca(oldCert), root); err != nil {
		return err
	}
	if key != r.ca(rootKey) {
		if err := os.Rename(key, r.ca(rootKey)); err != nil {
			return err
		}
	}
	if err := os.Rename(r.ca(nextCert), r.ca(rootCert)); err != nil {
		return err
	}
	if err := atomicfile.SyncDir(r.caDir()); err != nil {
		return err
	}
	r.announce(ctx)
	return nil
}

// resign replaces base.crt by one of the next root, for the same key, or for a
// fresh one.
func (r rotation) resign(next *pki.Authority, base string, fresh bool) error {
	certs, err := pki.ReadCerts(base + ".crt")
	if err != nil {
		return err
	}
	id, err := pki.IdentityOf(certs[0])
	if err != nil {
		return fmt.Errorf("%s.crt: %w", base, err)
	}
	if fresh {
		return provide(next, id, nil, base)
	}
	chain, err := next.Certify(id, certs[0].PublicKey, hostsOf(certs[0]), lifetimeOf(id.Role))
	if err != nil {
		return err
	}
	return pki.WriteCerts(base+".crt", chain)
}

func hostsOf(c *x509.Certificate) []string {
	hosts := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	return hosts
}

// end stops trusting the old root.
func (r rotation) end(ctx context.Context) error {
	if exists(r.ca(nextCert)) || !exists(r.ca(oldCert)) {
		return fault.Inputf("there is no old root to end: switch comes before end")
	}
	issuer, err := pki.ReadCerts(filepath.Join(r.identityDir(), pki.IssuerFile)) // the switch has made it
	if err != nil {
		return err
	}
	if err := r.due("end", issuer[0], beforeEnd); err != nil {
		return err
	}
	root, err := pki.ReadCerts(r.ca(rootCert))
	if err != nil {
		return err
	}
	if err := r.ready(ctx, "end", certifiedBelow(root[0])); err != nil {
		return err
	}
	if err := errors.Join(r.trust(root...), os.Remove(r.ca(oldCert))); err != nil {
		return err
	}
	r.announce(ctx)
	return nil
}

// trust writes the roots that coordinator and admin trust, and hand on.
func (r rotation) trust(roots ...*x509.Certificate) error {
	return errors.Join(
		pki.WriteCerts(filepath.Join(r.identityDir(), pki.RootsFile), roots),
		pki.WriteCerts(filepath.Join(r.adminDir(), pki.RootsFile), roots),
	)
}
