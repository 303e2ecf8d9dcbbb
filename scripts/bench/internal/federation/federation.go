// Package federation starts a coordinator and sites as processes on this
// machine, for measurements: the coordinator is the accord binary, a site is the
// measuring program called again, with package participant inside and a trainer
// that costs nothing. Sites by the thousand are package crowd's, which only speak
// the wire.
package federation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/scripts/bench/internal/accord"
	"github.com/accord-fl/accord/scripts/bench/internal/crowd"
)

// Federation is a coordinator and its sites. Close ends them.
type Federation struct {
	Coordinator *Process
	Sites       map[string]*Process
	Address     string // of the coordinator
	// Perturb has sites that join from now on change each weight, not one.
	Perturb bool

	ctx    context.Context // that ends all processes; Start's
	binary *accord.Binary
	dir    string
}

// Start makes a federation with certificates and starts its coordinator,
// without a test set, in a folder of its own.
func Start(ctx context.Context, binary *accord.Binary) (_ *Federation, err error) {
	dir, err := os.MkdirTemp(binary.Dir, "federation-")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	f := &Federation{Sites: map[string]*Process{}, Address: address, ctx: ctx, binary: binary, dir: dir}
	if _, _, err := binary.Run(ctx, nil, "federation", "init", f.heart(), "--address", address); err != nil {
		return nil, err
	}
	return f, f.coordinate()
}

// coordinate starts the coordinator on its folder.
func (f *Federation) coordinate() (err error) {
	file := filepath.Join(f.heart(), "coordinator", "coordinator.yaml")
	if f.Coordinator, err = Launch(exec.CommandContext(f.ctx, f.binary.Path, "coordinator", "-f", file)); err != nil {
		return err
	}
	if _, err := f.Coordinator.Await(f.ctx, "coordinator ready", 0); err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

// Restart kills the coordinator and starts it again, at the same address and on
// the same folder.
func (f *Federation) Restart() error {
	if err := f.Coordinator.Close(); err != nil {
		return err
	}
	return f.coordinate()
}

// freeAddress is one that nobody listens at.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (f *Federation) heart() string { return filepath.Join(f.dir, "heart") }

// steer runs a verb of accord as the federation's admin.
func (f *Federation) steer(into any, args ...string) error {
	return f.binary.JSON(f.ctx, into, nil, append(args, "--identity", filepath.Join(f.heart(), "admin"))...)
}

// invite returns a site's token, which leads to address.
func (f *Federation) invite(name, address string) (pki.Token, error) {
	var invitation struct{ Token string }
	if err := f.steer(&invitation, "invite", name); err != nil {
		return pki.Token{}, err
	}
	token, err := pki.ParseToken(invitation.Token)
	token.Coordinator = address
	return token, err
}

// Join starts a site that dials address, which is the coordinator's or leads
// there, and whose trainings take so long.
func (f *Federation) Join(name, address string, takes time.Duration) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	token, err := f.invite(name, address)
	if err != nil {
		return err
	}
	document, err := json.Marshal(site{Token: token.String(), Dir: filepath.Join(f.dir, name), Takes: takes, Perturb: f.Perturb})
	if err != nil {
		return err
	}
	return f.attend(name, exec.CommandContext(f.ctx, self, Verb, string(document)))
}

// inviteTogether bounds how many sites one command invites.
const inviteTogether = 500

// JoinMany starts so many sites in one process that only speak the wire, each
// with a certificate and a connection of its own, and waits until all of them
// attend.
func (f *Federation) JoinMany(process string, count int) error {
	dir := filepath.Join(f.dir, process)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	var tokens bytes.Buffer
	for from := 0; from < count; from += inviteTogether {
		args := []string{"invite", "--json", "--identity", filepath.Join(f.heart(), "admin")}
		for i := from; i < min(from+inviteTogether, count); i++ {
			args = append(args, fmt.Sprintf("%s-%05d", process, i))
		}
		out, _, err := f.binary.Run(f.ctx, nil, args...)
		if err != nil {
			return err
		}
		for line := range bytes.Lines(out) {
			var invitation struct{ Token string }
			if err := json.Unmarshal(line, &invitation); err != nil {
				return err
			}
			fmt.Fprintln(&tokens, invitation.Token)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, tokensFile), tokens.Bytes(), 0o600); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	document, err := json.Marshal(site{Dir: dir})
	if err != nil {
		return err
	}
	p, err := Launch(exec.CommandContext(f.ctx, self, Verb, string(document)))
	if err != nil {
		return err
	}
	f.Sites[process] = p
	_, err = p.Await(f.ctx, crowd.Began, count-1)
	return err
}

// Stranger is how somebody dials the coordinator who has no certificate.
func (f *Federation) Stranger() (credentials.TransportCredentials, error) {
	admin, err := pki.OpenCredential(filepath.Join(f.heart(), "admin"))
	if err != nil {
		return nil, err
	}
	config := admin.ClientTLS()
	config.GetClientCertificate = nil
	return credentials.NewTLS(config), nil
}

// Identity has a site join, which is not started, and returns the folder of its
// identity.
func (f *Federation) Identity(name string) (string, error) {
	token, err := f.invite(name, f.Address)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(f.dir, name)
	_, _, err = f.binary.Run(f.ctx, nil, "participant", "join", token.String(), "--dir", dir, "--dataset", "digits")
	return filepath.Join(dir, "identity"), err
}

// attend starts a site.
func (f *Federation) attend(name string, cmd *exec.Cmd) error {
	p, err := Launch(cmd)
	if err != nil {
		return err
	}
	f.Sites[name] = p
	_, err = p.Await(f.ctx, "attending", 0)
	return err
}

// Rejoin kills a site and starts it again, on the same folder.
func (f *Federation) Rejoin(name string) error {
	old := f.Sites[name]
	if err := old.Close(); err != nil {
		return err
	}
	return f.attend(name, exec.CommandContext(f.ctx, old.cmd.Path, old.cmd.Args[1:]...))
}

// Participant joins with accord's own participant, which trains on a data set.
func (f *Federation) Participant(name, dataset string) error {
	token, err := f.invite(name, f.Address)
	if err != nil {
		return err
	}
	dir := filepath.Join(f.dir, name)
	if _, _, err := f.binary.Run(f.ctx, nil, "participant", "join", token.String(), "--dir", dir, "--dataset", dataset); err != nil {
		return err
	}
	return f.attend(name, exec.CommandContext(f.ctx, f.binary.Path, "participant", "-f", filepath.Join(dir, "participant.yaml")))
}

// Submit queues a run, described in YAML.
func (f *Federation) Submit(run string) error {
	file := filepath.Join(f.dir, "run.yaml")
	if err := os.WriteFile(file, []byte(run), 0o644); err != nil {
		return err
	}
	var queued struct{ Name string }
	return f.steer(&queued, "run", "submit", "-f", file)
}

// Run tells how a run stands.
func (f *Federation) Run(name string) (r Run, err error) {
	err = f.steer(&r, "run", "show", name)
	return r, err
}

// Run is how a run stands.
type Run struct {
	Phase  string   `json:"phase"`
	Reason string   `json:"reason"`
	Cohort []string `json:"cohort"`
	Counts Counts   `json:"counts"`
}

// Counts tells how many answers of a run ended how.
type Counts struct {
	Accepted int `json:"accepted"`
	Rejected int `json:"rejected"`
	Declined int `json:"declined"`
	Late     int `json:"late"`
	Lost     int `json:"lost"`
}

// Close ends all processes.
func (f *Federation) Close() error {
	errs := []error{f.Coordinator.Close()}
	for _, p := range f.Sites {
		errs = append(errs, p.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(f.dir))...)
}
