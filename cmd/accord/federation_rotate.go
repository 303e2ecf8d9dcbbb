package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
)

// How long the steps of a rotation are apart at least: sites ask for the roots
// to trust every few hours, and hold certificates for a month.
const (
	beforeSwitch = 24 * time.Hour
	beforeEnd    = pki.SiteLifetime
)

func newFederationRotateCmd() *cobra.Command {
	now := false
	cmd := &cobra.Command{
		Use:   "rotate begin|switch|end DIR",
		Short: "Replace the root, with an overlap, while the federation runs",
		Long: `Replace the root of a federation that lies in one folder, in three steps; the
coordinator goes on running:

  begin   make the next root; from now on sites are told to trust both
  switch  sign with the next root; when every site has been connected since
          begin (accord members), at the earliest after a day
  end     trust the next root only; when the certificates from before switch
          have ended, after 30 days

A step that comes too early would shut sites out, and is refused; --now takes it
all the same, where a root's key has leaked, say. A site that was away between
begin and switch joins again with a token.`,
		Example:   "  accord federation rotate begin heart\n  accord federation rotate end heart --now",
		Args:      cobra.ExactArgs(2),
		ValidArgs: []string{"begin", "switch", "end"},
		RunE: func(cmd *cobra.Command, args []string) error {
			r := rotation{founding{dir: args[1]}, now}
			var done string
			var err error
			switch args[0] {
			case "begin":
				done, err = "Sites are told to trust the next root too, as they connect. After a day or more:\n  "+again("federation", "rotate", "switch", args[1]), r.begin()
			case "switch":
				done, err = "Certificates are signed below the next root. After "+time.Now().Add(beforeEnd).Format(time.DateOnly)+":\n  "+again("federation", "rotate", "end", args[1]), r.change()
			case "end":
				done, err = "The old root is trusted no more.", r.end()
			default:
				return fault.Usagef("%q is no step of a rotation: begin, switch or end", args[0])
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), done)
			return err
		},
	}
	cmd.Flags().BoolVar(&now, "now", false, "do not wait between the steps; sites that are not ready are shut out until they join again")
	return cmd
}

// rotation changes a federation's root.
type rotation struct {
	founding
	now bool // whatever sites are ready for
}

// due refuses a step that comes sooner than wait after the certificate was made
// with which the step before it began.
func (r rotation) due(step string, made *x509.Certificate, wait time.Duration) error {
	from := made.NotBefore.Add(wait)
	if r.now || time.Now().After(from) {
		return nil
	}
	return fault.Inputf("%s is too early before %s: it would shut out sites that are not ready; --now takes it all the same", step, from.Local().Format("2006-01-02 15:04 MST"))
}

func (r rotation) ca(file string) string { return filepath.Join(r.caDir(), file) }

// begin makes the next root and has it trusted.
func (r rotation) begin() error {
	root, err := pki.LoadAuthority(r.ca(rootCert), r.ca(rootKey))
	if err != nil {
		return err
	}
	for _, file := range []string{nextCert, oldCert} {
		if _, err := os.Stat(r.ca(file)); !errors.Is(err, fs.ErrNotExist) {
			return fault.As(fault.Exists, fmt.Errorf("%s is there: a rotation has begun and not ended", r.ca(file)))
		}
	}
	next, err := pki.NewRoot(root.Federation, pki.RootLifetime)
	if err != nil {
		return err
	}
	if err := next.Save(r.ca(nextCert), r.ca(nextKey)); err != nil {
		return err
	}
	return r.trust(next.Cert, root.Cert)
}

// change signs what the coordinator and the admin hold below the next root.
func (r rotation) change() error {
	next, err := pki.LoadAuthority(r.ca(nextCert), r.ca(nextKey))
	if err != nil {
		return fmt.Errorf("no rotation has begun: %w", err)
	}
	if err := r.due("switch", next.Cert, beforeSwitch); err != nil {
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
	return errors.Join(
		os.Rename(r.ca(rootCert), r.ca(oldCert)), os.Remove(r.ca(rootKey)),
		os.Rename(r.ca(nextCert), r.ca(rootCert)), os.Rename(r.ca(nextKey), r.ca(rootKey)),
	)
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
func (r rotation) end() error {
	if _, err := os.Stat(r.ca(oldCert)); err != nil {
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
	return errors.Join(r.trust(root...), os.Remove(r.ca(oldCert)))
}

// trust writes the roots that coordinator and admin trust, and hand on.
func (r rotation) trust(roots ...*x509.Certificate) error {
	return errors.Join(
		pki.WriteCerts(filepath.Join(r.identityDir(), pki.RootsFile), roots),
		pki.WriteCerts(filepath.Join(r.adminDir(), pki.RootsFile), roots),
	)
}
