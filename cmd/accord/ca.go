package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/quote"
)

func newCACmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ca",
		Short:   "A federation's root, on a machine of its own",
		Example: "  accord ca init ca --name heart\n  accord ca sign --ca ca issuer.csr tls.csr",
	}
	cmd.AddCommand(newCAInitCmd(), newCASignCmd())
	return cmd
}

func newCAInitCmd() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Make a root in a new folder",
		Long: `Make a federation's root and its key in a new folder. The machine that holds it
needs no network: ` + "`accord federation init --ca-elsewhere`" + ` writes signing
requests, ` + "`accord ca sign`" + ` answers them with certificates.`,
		Example: "  accord ca init ca --name heart",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := os.Stat(args[0]); !errors.Is(err, fs.ErrNotExist) {
				return fault.As(fault.Exists, fmt.Errorf("%s is there already: a root is made in a new folder", args[0]))
			}
			root, err := makeRoot(args[0], name)
			if err != nil {
				return err
			}
			return quote.Fprintf(cmd.OutOrStdout(), "Root of %s, valid until %s, fingerprint\n%s\n", name, root.Cert.NotAfter.Format(time.DateOnly), pki.Fingerprint(root.Cert))
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "of the federation: lower-case letters, digits, '.' and '-'")
	if err := cmd.MarkFlagRequired("name"); err != nil {
		panic("accord: " + err.Error()) // the flag was added above
	}
	return cmd
}

func newCASignCmd() *cobra.Command {
	var dir string
	var days int
	cmd := &cobra.Command{
		Use:   "sign REQUEST.csr|ROOT.crt...",
		Short: "Answer signing requests with certificates, and vouch for the next root",
		Long: `Sign requests with the federation's root: REQUEST.crt is written beside each
REQUEST.csr. What each is for (a coordinator, an issuer, an admin, a site) is in
the request, and printed: look at it before you carry the certificate away.

Given the certificate of the root that is to follow, ROOT.crt, write beside it
` + pki.EndorsementsFile + `, by which this root vouches for that one: sites take a new
root only with such a signature. Put the file into the coordinator's identity
folder.`,
		Example: "  accord ca sign --ca ca issuer.csr tls.csr\n  accord ca sign --ca ca --days 365 admin.csr\n  accord ca sign --ca ca next/ca.crt",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("days") && (days < 1 || days > maxDays) {
				return fault.Usagef("--days %d: want 1 to %d", days, maxDays)
			}
			root, err := pki.LoadAuthority(filepath.Join(dir, rootCert), filepath.Join(dir, rootKey))
			if err != nil {
				return err
			}
			for _, path := range args {
				signed, err := sign(root, path, time.Duration(days)*24*time.Hour)
				if err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				if err := quote.Fprintln(cmd.OutOrStdout(), signed); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "ca", "ca", "folder of the root, which accord ca init or accord federation init made")
	cmd.Flags().IntVar(&days, "days", 0, "how long the certificates are valid (default 3 years for an issuer, 90 days for others, who renew by themselves)")
	return cmd
}

// maxDays is more than a root lasts.
const maxDays = 36500

// sign answers one request and tells what it has signed.
func sign(root *pki.Authority, path string, lifetime time.Duration) (string, error) {
	if strings.HasSuffix(path, ".crt") {
		return endorse(root, path)
	}
	base, ok := strings.CutSuffix(path, ".csr")
	if !ok {
		return "", fault.Inputf("want a file that ends in .csr, or the next root's, which ends in .crt")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fault.As(fault.Input, err)
	}
	request, err := pki.ReadRequest(data)
	if err != nil {
		return "", err
	}
	if lifetime == 0 {
		lifetime = lifetimeOf(request.Identity.Role)
	}
	chain, err := root.Certify(request.Identity, request.Key, request.Hosts, lifetime)
	if err != nil {
		return "", err
	}
	hosts := ""
	if len(request.Hosts) > 0 {
		hosts = " at " + strings.Join(request.Hosts, ", ")
	}
	return fmt.Sprintf("%s.crt: %s%s, valid until %s", base, request.Identity, hosts, chain[0].NotAfter.Format(time.DateOnly)), pki.WriteCerts(base+".crt", chain)
}

// endorse vouches for the root in a file, and says for which.
func endorse(root *pki.Authority, path string) (string, error) {
	certs, err := pki.ReadCerts(path)
	if err != nil {
		return "", err
	}
	endorsement, err := root.Endorse(certs[0])
	if err != nil {
		return "", err
	}
	file := filepath.Join(filepath.Dir(path), pki.EndorsementsFile)
	said := fmt.Sprintf("%s: for the root with fingerprint %s", file, pki.Fingerprint(certs[0]))
	return said, pki.WriteCerts(file, []*x509.Certificate{endorsement})
}

func lifetimeOf(role pki.Role) time.Duration {
	if role == pki.Issuer {
		return pki.IssuerLifetime
	}
	return pki.LeafLifetime
}
