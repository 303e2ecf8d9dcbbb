// Package federation starts a coordinator and sites as processes on this
// machine, for measurements: the coordinator is the accord binary, a site is the
// measuring program called again, with package participant inside and a trainer
// that costs nothing.
package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/accord-fl/accord/scripts/bench/internal/accord"
)

// Federation is a coordinator and its sites. Close ends them.
type Federation struct {
	Coordinator *Process
	Sites       map[string]*Process
	Address     string // of the coordinator

	ctx    context.Context // that ends all processes; Start's
	binary *accord.Binary
	dir    string
}

// Start starts a coordinator, without a test set, in a folder of its own.
func Start(ctx context.Context, binary *accord.Binary) (_ *Federation, err error) {
	dir, err := os.MkdirTemp(binary.Dir, "federation-")
	if err != nil {
		return nil, err
	}
	f := &Federation{Sites: map[string]*Process{}, ctx: ctx, binary: binary, dir: dir}
	config := "listen: 127.0.0.1:0\ninsecure: true\ndir: coordinator\n"
	file := filepath.Join(dir, "coordinator.yaml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return nil, err
	}
	if f.Coordinator, err = start(exec.CommandContext(ctx, binary.Path, "coordinator", "-f", file)); err != nil {
		return nil, err
	}
	ready, err := f.Coordinator.Await(ctx, "coordinator ready", 0)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	f.Address = ready.Address
	return f, nil
}

// Join starts a site that dials address, which is the coordinator's or leads
// there, and whose trainings take so long.
func (f *Federation) Join(name, address string, takes time.Duration) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	document, err := json.Marshal(site{Name: name, Coordinator: address, Dir: filepath.Join(f.dir, name), Takes: takes})
	if err != nil {
		return err
	}
	p, err := start(exec.CommandContext(f.ctx, self, Verb, string(document)))
	if err != nil {
		return err
	}
	f.Sites[name] = p
	_, err = p.Await(f.ctx, "attending", 0)
	return err
}

// Participant starts accord's own participant with a configuration, which lacks
// the lines that name the coordinator and the folder.
func (f *Federation) Participant(name, config string) error {
	file := filepath.Join(f.dir, name+".yaml")
	config = fmt.Sprintf("name: %s\ncoordinator: %s\ninsecure: true\ndir: %s\n%s", name, f.Address, name, config)
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return err
	}
	p, err := start(exec.CommandContext(f.ctx, f.binary.Path, "participant", "-f", file))
	if err != nil {
		return err
	}
	f.Sites[name] = p
	_, err = p.Await(f.ctx, "attending", 0)
	return err
}

// Submit queues a run, described in YAML.
func (f *Federation) Submit(run string) error {
	file := filepath.Join(f.dir, "run.yaml")
	if err := os.WriteFile(file, []byte(run), 0o644); err != nil {
		return err
	}
	_, _, err := f.binary.Run(f.ctx, nil, "run", "submit", "-f", file, "--coordinator", f.Address)
	return err
}

// Run tells how a run stands.
func (f *Federation) Run(name string) (r Run, err error) {
	err = f.binary.JSON(f.ctx, &r, nil, "run", "show", name, "--coordinator", f.Address)
	return r, err
}

// Run is how a run stands.
type Run struct {
	Phase  string   `json:"phase"`
	Reason string   `json:"reason"`
	Cohort []string `json:"cohort"`
}

// Close ends all processes.
func (f *Federation) Close() error {
	errs := []error{f.Coordinator.close()}
	for _, p := range f.Sites {
		errs = append(errs, p.close())
	}
	return errors.Join(append(errs, os.RemoveAll(f.dir))...)
}
