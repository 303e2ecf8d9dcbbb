package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/accord-fl/accord/scripts/bench/internal/federation"
)

// network is small, so that rounds are about the federation rather than about
// arithmetic.
const network = `input: [28, 28, 1]
layers:
  - flatten: {}
  - dense: {units: 8, activation: relu}
  - dense: {units: 10, activation: softmax}
`

// party is a federation of real processes that train a small network on drawn
// digits.
type party struct {
	ctx     context.Context
	dir     string
	address string
	// The binaries of the coordinator with its admin, and of the sites.
	center, edge string

	coordinator *federation.Process // nil: it does not run
	sites       map[string]*federation.Process
}

// names of all sites.
var names = []string{"site-01", "site-02", "site-03"}

// found makes a federation in dir, whose sites have joined; the coordinator is
// left running, the sites are not started.
func found(b *bench, dir, center, edge string) (_ *party, err error) {
	p := &party{ctx: b.ctx, dir: dir, center: center, edge: edge, sites: map[string]*federation.Process{}}
	if p.address, err = freeAddress(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := p.call(center, "data", "partition", "--sites", fmt.Sprint(len(names)), "--samples-per-site", "40", "--test-samples", "100", "--out", "data"); err != nil {
		return nil, err
	}
	if _, err := p.call(center, "federation", "init", "heart", "--address", p.address); err != nil {
		return nil, err
	}
	if err := p.configure(); err != nil {
		return nil, err
	}
	if err := p.begin(); err != nil {
		return nil, err
	}
	for _, name := range names {
		var invitation struct{ Token string }
		if err := p.steer(&invitation, "invite", name); err != nil {
			return nil, errors.Join(err, p.end())
		}
		if _, err := p.call(edge, "participant", "join", invitation.Token, "--dir", name, "--dataset", "safetensors:data/"+name+".safetensors"); err != nil {
			return nil, errors.Join(err, p.end())
		}
	}
	return p, nil
}

// configure writes the network's file and gives the coordinator a test set.
func (p *party) configure() error {
	if err := os.WriteFile(filepath.Join(p.dir, "tiny.yaml"), []byte(network), 0o644); err != nil {
		return err
	}
	file, err := os.OpenFile(p.config(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "\ntest:\n  dataset: safetensors:%s\n", filepath.Join(p.dir, "data", "test.safetensors"))
	return errors.Join(err, file.Close())
}

func (p *party) config() string {
	return filepath.Join(p.dir, "heart", "coordinator", "coordinator.yaml")
}

// state is the coordinator's folder.
func (p *party) state() string { return filepath.Join(p.dir, "heart", "coordinator", "state") }

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// call runs a command of a binary in the party's folder.
func (p *party) call(binary string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(p.ctx, binary, args...)
	cmd.Dir = p.dir
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("accord %v: %w: %s", args, err, exit.Stderr)
	}
	return out, err
}

// steer runs a command as the federation's admin.
func (p *party) steer(into any, args ...string) error {
	out, err := p.call(p.center, append(args, "--json", "--identity", filepath.Join("heart", "admin"))...)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(out, into)
}

// begin starts the coordinator and waits until it serves.
func (p *party) begin() (err error) {
	if p.coordinator, err = federation.Launch(exec.CommandContext(p.ctx, p.center, "coordinator", "-f", p.config())); err != nil {
		return err
	}
	_, err = p.coordinator.Await(p.ctx, "coordinator ready", 0)
	return err
}

// kill ends the coordinator at once.
func (p *party) kill() error {
	err := p.coordinator.Close()
	p.coordinator = nil
	return err
}

// attend starts sites and waits until they attend.
func (p *party) attend(names ...string) error {
	for _, name := range names {
		site, err := federation.Launch(exec.CommandContext(p.ctx, p.edge, "participant", "-f", filepath.Join(p.dir, name, "participant.yaml")))
		if err != nil {
			return err
		}
		p.sites[name] = site
		if _, err := site.Await(p.ctx, "attending", 0); err != nil {
			return err
		}
	}
	return nil
}

// submit queues a run of so many rounds.
func (p *party) submit(name string, rounds int) error {
	text := fmt.Sprintf("name: %s\nmodel: {spec: tiny.yaml}\nrounds: %d\nmin_sites: %d\nretries: 0\nwindow: {minimum: %d, deadline: 10m}\nlocal: {epochs: 1, batch: 10, optimizer: sgd, lr: 0.05}\n",
		name, rounds, len(names), len(names))
	if err := os.WriteFile(filepath.Join(p.dir, "run.yaml"), []byte(text), 0o644); err != nil {
		return err
	}
	return p.steer(nil, "run", "submit", "-f", "run.yaml")
}

// standing is how a run stands.
type standing struct {
	Phase  string `json:"phase"`
	Round  int    `json:"round"`
	Reason string `json:"reason"`
	Model  string `json:"model"`
}

func (s standing) ended() bool {
	switch s.Phase {
	case "completed", "failed", "stopped", "diverged":
		return true
	}
	return false
}

// await waits until a run has ended, at most so long.
func (p *party) await(name string, within time.Duration) (s standing, err error) {
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		if err = p.steer(&s, "run", "show", name); err == nil && s.ended() {
			return s, nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-p.ctx.Done():
			return s, p.ctx.Err()
		}
	}
	return s, fmt.Errorf("run %s has not ended within %v: %+v, %w", name, within, s, err)
}

// complete waits until a run is complete, and returns its model's digest.
func (p *party) complete(name string, within time.Duration) (string, error) {
	s, err := p.await(name, within)
	if err == nil && s.Phase != "completed" {
		err = fmt.Errorf("run %s %s in round %d: %s", name, s.Phase, s.Round, s.Reason)
	}
	return s.Model, err
}

// end ends all processes.
func (p *party) end() error {
	var errs []error
	if p.coordinator != nil {
		errs = append(errs, p.kill())
	}
	for _, site := range p.sites {
		errs = append(errs, site.Close())
	}
	return errors.Join(errs...)
}

// undisturbed returns the digest that a run of this name and so many rounds
// comes to when nothing happens to it.
func undisturbed(b *bench, name string, rounds int) (digest string, err error) {
	p, err := found(b, filepath.Join(b.accord.Dir, "undisturbed-"+name), b.accord.Path, b.accord.Path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	if err := errors.Join(p.attend(names...), p.submit(name, rounds)); err != nil {
		return "", err
	}
	return p.complete(name, time.Minute)
}
