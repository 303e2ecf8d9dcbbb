package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/gossip"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/report"
)

// gossipKeys lies in the coordinator's folder.
const gossipKeys = "gossip.keys"

func newFederationInitCmd() *cobra.Command {
	f := founding{addresses: []string{"127.0.0.1:7443"}, admin: "admin"}
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Make a federation: authority, coordinator's and admin's certificates",
		Long: `Make what a federation begins with, in a new folder:

  DIR/ca           the root and its key; move it to a machine of its own, it is
                   needed again only to rotate it (accord ca)
  DIR/coordinator  configuration and identity of the coordinator, its journal's
                   first record, a key for gossip
  DIR/admin        identity of the first admin, for --identity

Private keys can be read by their owner only. With --ca-elsewhere no root is
made: keys and signing requests are, for ` + "`accord ca sign`" + ` on another machine.`,
		Example: "  accord federation init heart --address fl.example.org:7443\n  accord federation init heart --address fl.example.org:7443 --ca-elsewhere",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.dir = args[0]
			if f.name == "" {
				f.name = strings.ToLower(filepath.Base(filepath.Clean(f.dir)))
			}
			if err := f.found(); err != nil {
				return err
			}
			return f.explain(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&f.name, "name", "", "of the federation: lower-case letters, digits, '.' and '-' (default the folder's)")
	cmd.Flags().StringSliceVar(&f.addresses, "address", f.addresses, "host:port at which sites dial the coordinator; repeat for more names, the first goes into invitations")
	cmd.Flags().StringVar(&f.admin, "admin", f.admin, "name of the first admin")
	cmd.Flags().BoolVar(&f.elsewhere, "ca-elsewhere", false, "make signing requests instead of a root")
	return cmd
}

// founding is what federation init is asked for.
type founding struct {
	dir, name, admin string
	addresses        []string
	elsewhere        bool
}

func (f founding) coordinatorDir() string { return filepath.Join(f.dir, "coordinator") }
func (f founding) identityDir() string    { return filepath.Join(f.coordinatorDir(), "identity") }
func (f founding) stateDir() string       { return filepath.Join(f.coordinatorDir(), "state") }
func (f founding) adminDir() string       { return filepath.Join(f.dir, "admin") }
func (f founding) caDir() string          { return filepath.Join(f.dir, "ca") }

// found makes all files, or says why not, and then leaves none.
func (f founding) found() (err error) {
	hosts, err := f.hosts()
	if err != nil {
		return err
	}
	who := pki.Identity{Federation: f.name, Role: pki.Coordinator, Name: "coordinator"}
	admin := pki.Identity{Federation: f.name, Role: pki.Admin, Name: f.admin}
	issuer := pki.Identity{Federation: f.name, Role: pki.Issuer, Name: "issuer"}
	if err := who.Validate(); err != nil {
		return fmt.Errorf("%w (--name)", err)
	}
	if err := admin.Validate(); err != nil {
		return fmt.Errorf("%w (--admin)", err)
	}
	if _, err := os.Stat(f.dir); !errors.Is(err, fs.ErrNotExist) {
		return fault.As(fault.Exists, fmt.Errorf("%s is there already: a federation is made in a new folder", f.dir))
	}
	made := willMake(f.dir)
	defer func() {
		if err != nil {
			err = errors.Join(err, made.all())
		}
	}()
	for _, dir := range []string{f.dir, f.coordinatorDir(), f.identityDir(), f.adminDir()} {
		if err := pki.MakeFolder(dir); err != nil {
			return err
		}
	}
	var root *pki.Authority
	if !f.elsewhere {
		if root, err = makeRoot(f.caDir(), f.name); err != nil {
			return err
		}
	}
	return errors.Join(
		provide(root, issuer, nil, filepath.Join(f.identityDir(), "issuer")),
		provide(root, who, hosts, filepath.Join(f.identityDir(), "tls")),
		provide(root, admin, nil, filepath.Join(f.adminDir(), "tls")),
		f.roots(root),
		config.Federation{Name: f.name, Coordinator: f.addresses[0]}.Save(f.adminDir()),
		f.begin(),
		gossip.Keys{gossip.NewKey()}.Save(filepath.Join(f.coordinatorDir(), gossipKeys)),
		atomicfile.WriteBytes(filepath.Join(f.coordinatorDir(), "coordinator.yaml"), []byte(f.coordinatorConfig())),
	)
}

// hosts are the names and numbers in the addresses.
func (f founding) hosts() ([]string, error) {
	var hosts []string
	for _, address := range f.addresses {
		host, port, err := net.SplitHostPort(address)
		if _, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil {
			return nil, fault.Usagef("--address %q: want host:port, such as fl.example.org:7443", address)
		}
		hosts = append(hosts, host)
	}
	return hosts, nil
}

// makeRoot makes a root in a new folder.
func makeRoot(dir, federation string) (*pki.Authority, error) {
	root, err := pki.NewRoot(federation, pki.RootLifetime)
	if err != nil {
		return nil, err
	}
	if err := pki.MakeFolder(dir); err != nil {
		return nil, err
	}
	return root, root.Save(filepath.Join(dir, rootCert), filepath.Join(dir, rootKey))
}

// The root's files, and those of the one that follows it in a rotation.
const (
	rootCert, rootKey = "ca.crt", "ca.key"
	nextCert, nextKey = "next.crt", "next.key"
	oldCert           = "old.crt"
)

// provide makes a key, base.key, and its certificate, base.crt; without an
// authority a signing request, base.csr, in place of it.
func provide(authority *pki.Authority, id pki.Identity, hosts []string, base string) error {
	key, err := pki.NewKey()
	if err != nil {
		return err
	}
	if err := pki.WriteKey(base+".key", key); err != nil {
		return err
	}
	if authority == nil {
		request, err := pki.NewRequest(id, key, hosts)
		if err != nil {
			return err
		}
		return atomicfile.WriteBytes(base+".csr", request)
	}
	chain, err := authority.Certify(id, key.Public(), hosts, lifetimeOf(id.Role))
	if err != nil {
		return err
	}
	return pki.WriteCerts(base+".crt", chain)
}

// roots puts the root to trust beside each certificate.
func (f founding) roots(root *pki.Authority) error {
	if root == nil {
		return nil
	}
	return errors.Join(
		pki.WriteCerts(filepath.Join(f.identityDir(), pki.RootsFile), root.Chain),
		pki.WriteCerts(filepath.Join(f.adminDir(), pki.RootsFile), root.Chain),
	)
}

func (f founding) coordinatorConfig() string {
	host, port, _ := net.SplitHostPort(f.addresses[0]) // hosts has split it
	listen := ":" + port
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		listen = f.addresses[0]
	}
	return fmt.Sprintf(`# The coordinator of %s:
#
#   accord coordinator -f %s

listen: %q   # sites and admins dial this; %s must lead here
identity: identity           # certificate, key, roots and issuer
dir: state                   # journal and artefacts; a restart goes on from here
log_level: info              # debug, info, warn or error

# Every version is measured on this set's test split; leave it out to publish
# versions without an accuracy.
#test:
#  dataset: safetensors:test.safetensors

# Nodes of one trust domain, such as a laboratory's cluster, may gossip: they
# find out sooner who has gone.
#gossip:
#  bind: 127.0.0.1:7946       # IP:port, for UDP and TCP
#  keyring: %s       # encrypts it
#  share: true                # give the key to participants that gossip, too
`, f.name, filepath.Join(f.coordinatorDir(), "coordinator.yaml"), listen, strings.Join(f.addresses, ", "), gossipKeys)
}

func (f founding) explain(w io.Writer) error {
	coordinator := filepath.Join(f.coordinatorDir(), "coordinator.yaml")
	if f.elsewhere {
		requests := []string{filepath.Join(f.identityDir(), pki.IssuerRequest), filepath.Join(f.identityDir(), pki.RequestFile), filepath.Join(f.adminDir(), pki.RequestFile)}
		err := quote.Fprintf(w, `Keys and signing requests of federation %s are in %s. Carry the requests, no keys:
  %s
to the machine of the authority, and there:
  accord ca init ca --name %s
  %s
Bring each .crt back beside its .csr, and ca/ca.crt (no key) into
%s and %s.

`, f.name, f.dir, report.ShellLine(append([]string{"tar", "-cf", "requests.tar"}, requests...)), f.name,
			report.ShellLine(append([]string{"accord", "ca", "sign", "--ca", "ca"}, requests...)), f.identityDir(), f.adminDir())
		if err != nil {
			return err
		}
	} else if err := quote.Fprintf(w, "Federation %s is in %s. Move %s to a safe place.\n\n", f.name, f.dir, f.caDir()); err != nil {
		return err
	}
	err := quote.Fprintf(w, `Start the coordinator, which sites dial at %s (name a test set in its file):
  %s
Invite a site:
  %s
When sites attend (accord members), submit a run:
  %s
`, f.addresses[0], again("coordinator", "-f", coordinator), again("invite", "SITE", "--identity", f.adminDir()),
		again("run", "submit", "-f", "run.yaml", "--watch", "--identity", f.adminDir()))
	return err
}
