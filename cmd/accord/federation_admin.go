package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/quote"
)

func newFederationAdminCmd() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "admin NAME DIR",
		Short: "Make the identity of another admin",
		Long: `Make the identity of another admin of the federation in DIR, or a new one for an
admin whose certificate has ended: it renews itself when it is used, and is good
for 90 days. The root must be in DIR/ca; where it is not, a signing request is
made for ` + "`accord ca sign`" + `. Give the folder to that person over a safe channel.
Who was revoked stays so: choose another name.`,
		Example: "  accord federation admin carol heart\n  accord federation admin admin heart --out heart/admin-2",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			f := founding{dir: args[1], admin: args[0]}
			if out == "" {
				out = filepath.Join(f.dir, f.admin)
			}
			return f.appoint(cmd.OutOrStdout(), out)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "new folder for it (default DIR/NAME)")
	return cmd
}

// appoint makes an admin's identity in a new folder.
func (f founding) appoint(w io.Writer, out string) error {
	federation, err := config.LoadFederation(f.adminDir())
	if err != nil {
		return err
	}
	roots, err := pki.ReadCerts(filepath.Join(f.adminDir(), pki.RootsFile))
	if err != nil {
		return err
	}
	id := pki.Identity{Federation: federation.Name, Role: pki.Admin, Name: f.admin}
	if err := id.Validate(); err != nil {
		return err
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		return fault.As(fault.Exists, fmt.Errorf("%s is there already: choose another folder with --out", out))
	}
	var root *pki.Authority
	if _, err := os.Stat(filepath.Join(f.caDir(), rootKey)); err == nil {
		if root, err = pki.LoadAuthority(filepath.Join(f.caDir(), rootCert), filepath.Join(f.caDir(), rootKey)); err != nil {
			return err
		}
	}
	if err := pki.MakeFolder(out); err != nil {
		return err
	}
	if err := errors.Join(
		provide(root, id, nil, filepath.Join(out, "tls")),
		pki.WriteCerts(filepath.Join(out, pki.RootsFile), roots),
		federation.Save(out),
	); err != nil {
		return err
	}
	if root == nil {
		return quote.Fprintf(w, "%s waits to be signed with the root, by accord ca sign; put tls.crt beside it.\n", filepath.Join(out, pki.RequestFile))
	}
	return quote.Fprintf(w, "%s is an admin of %s. Try it:\n  %s\n", f.admin, federation.Name, again("members", "--identity", out))
}
