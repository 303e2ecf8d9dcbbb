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
	"strconv"
	"strings"
	"time"
)

// The sides whose clocks may be wrong.
const (
	coordinator = "coordinator"
	sites       = "sites"
)

const siteCount = 2

// runFile is long enough for the clock to go wrong and right again in mid-run: it
// ends when the trial stops being busy, see rounds.
const runFile = `name: clocks
seed: 1
rounds: %d
min_sites: 2
local: {epochs: %d, batch: 10, optimizer: sgd, lr: 0.01}
retries: 50
window: {minimum: 2, deadline: 1m}
simulation: {dataset: digits, sites: 2, samples_per_site: 400, test_samples: 50}
`

// trial is one clock that is wrong for a while.
type trial struct {
	binary, dir, side string
	days              int
	wrong, within     time.Duration

	processes map[string]*exec.Cmd
	address   string
}

// run goes through the trial, and returns how long after the clock was right the
// run had ended.
func (t *trial) run(ctx context.Context) (took time.Duration, err error) {
	t.processes = map[string]*exec.Cmd{}
	defer func() {
		for name := range t.processes {
			err = errors.Join(err, t.kill(name))
		}
	}()
	if err := t.found(ctx); err != nil {
		return 0, err
	}
	if err := t.until(ctx, time.Minute, func() (bool, error) { return t.rounds(ctx, 1) }); err != nil {
		return 0, fmt.Errorf("before the clock is wrong: %w", err)
	}
	if err := t.set(t.days * 24 * 3600); err != nil {
		return 0, err
	}
	for name := range t.processes {
		if strings.HasPrefix(name, coordinator) == (t.side == coordinator) {
			if err := errors.Join(t.kill(name), t.start(ctx, name)); err != nil {
				return 0, err
			}
		}
	}
	select {
	case <-time.After(t.wrong):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if err := t.set(0); err != nil {
		return 0, err
	}
	right := time.Now()
	err = t.until(ctx, t.within, func() (bool, error) { return t.ended(ctx) })
	return time.Since(right), err
}

// found makes the federation, and starts the processes and the run.
func (t *trial) found(ctx context.Context) error {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	t.address = free.Addr().String()
	if err := errors.Join(free.Close(), os.MkdirAll(t.dir, 0o700)); err != nil {
		return err
	}
	shards, heart, run := t.path("shards"), t.path("heart"), t.path("run.yaml")
	rounds := 20 + int(t.wrong/time.Second)
	if err := os.WriteFile(run, fmt.Appendf(nil, runFile, rounds, 5), 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"data", "partition", "--sites", strconv.Itoa(siteCount), "--samples-per-site", "400", "--test-samples", "50", "--seed", "1", "--out", shards},
		{"federation", "init", heart, "--address", t.address},
	} {
		if _, err := t.accord(ctx, args...); err != nil {
			return err
		}
	}
	if err := t.start(ctx, coordinator); err != nil {
		return err
	}
	if err := t.until(ctx, 20*time.Second, func() (bool, error) { _, err := t.asAdmin(ctx, "members"); return err == nil, nil }); err != nil {
		return err
	}
	for i := range siteCount {
		site := fmt.Sprintf("site-%02d", i+1)
		text, err := t.asAdmin(ctx, "invite", site, "--json")
		if err != nil {
			return err
		}
		var invitation struct{ Token string }
		if err := json.Unmarshal(text, &invitation); err != nil {
			return err
		}
		data := "safetensors:" + filepath.Join(shards, site+".safetensors")
		if _, err := t.accord(ctx, "participant", "join", invitation.Token, "--dir", t.path(site), "--dataset", data); err != nil {
			return err
		}
		if err := t.start(ctx, site); err != nil {
			return err
		}
	}
	_, err = t.asAdmin(ctx, "run", "submit", "-f", run)
	return err
}

func (t *trial) path(name string) string { return filepath.Join(t.dir, name) }

// set sets the wrong side's clock ahead by so many seconds.
func (t *trial) set(seconds int) error {
	return os.WriteFile(t.path("ahead"), []byte(strconv.Itoa(seconds)), 0o600)
}

// start starts the coordinator or a site; its log is beside its folder.
func (t *trial) start(ctx context.Context, name string) error {
	args := []string{"participant", "-f", filepath.Join(t.path(name), "participant.yaml")}
	if name == coordinator {
		args = []string{"coordinator", "-f", filepath.Join(t.path("heart"), "coordinator", "coordinator.yaml")}
	}
	log, err := os.OpenFile(t.path(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own
	cmd := exec.CommandContext(ctx, t.binary, args...)
	cmd.Stderr = log
	if (name == coordinator) == (t.side == coordinator) {
		cmd.Env = append(os.Environ(), variable+"="+t.path("ahead"))
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	t.processes[name] = cmd
	return nil
}

// kill ends a process, which must not have ended by itself.
func (t *trial) kill(name string) error {
	cmd := t.processes[name]
	if err := cmd.Process.Kill(); err != nil {
		return fmt.Errorf("%s has ended: %w", name, err)
	}
	_ = cmd.Wait() // killed
	return nil
}

// accord runs a command line by a clock that is right.
func (t *trial) accord(ctx context.Context, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, t.binary, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("accord %s: %w: %s", args[0], err, exit.Stderr)
	}
	return out, err
}

func (t *trial) asAdmin(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return t.accord(ctx, append(args, "--identity", filepath.Join(t.path("heart"), "admin"))...)
}

// state is how the run stands.
func (t *trial) state(ctx context.Context) (phase string, round int, err error) {
	out, err := t.asAdmin(ctx, "run", "show", "clocks", "--json")
	if err != nil {
		return "", 0, err
	}
	var run struct {
		Phase string
		Round int
	}
	return run.Phase, run.Round, json.Unmarshal(out, &run)
}

// rounds reports whether the run is beyond a round.
func (t *trial) rounds(ctx context.Context, round int) (bool, error) {
	phase, now, err := t.state(ctx)
	return err == nil && (now > round || phase == "completed"), nil
}

// ended reports whether the run has completed; that it has failed is an error.
func (t *trial) ended(ctx context.Context) (bool, error) {
	phase, _, err := t.state(ctx)
	switch {
	case err != nil:
		return false, nil // it may answer later
	case phase == "failed", phase == "stopped", phase == "diverged":
		return false, fmt.Errorf("the run has %s", phase)
	}
	return phase == "completed", nil
}

// until asks again and again until done says so, for a while.
func (t *trial) until(ctx context.Context, within time.Duration, done func() (bool, error)) error {
	for limit := time.Now().Add(within); time.Now().Before(limit); {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("not within %v", within)
}
