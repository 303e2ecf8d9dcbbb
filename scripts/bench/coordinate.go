package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// coordinator is a process of the binary that is measured.
type coordinator struct {
	cmd     *exec.Cmd
	address string
	drained chan struct{} // closed when its log has ended
	ended   bool
}

var readyAt = regexp.MustCompile(`coordinator ready.*?(127\.0\.0\.1:\d+)`)

// stopWithin is how long a coordinator may take to end by itself.
const stopWithin = 20 * time.Second

// coordinate starts a coordinator on a folder in dir and waits until it is
// ready. Nothing is evaluated.
func (b *bench) coordinate(dir, listen string) (_ *coordinator, err error) {
	file := filepath.Join(dir, "coordinator.yaml")
	text := fmt.Sprintf("listen: %s\ninsecure: true\ndir: coordinator\nlog_level: info\n", listen)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	c := &coordinator{cmd: exec.CommandContext(b.ctx, b.accord.Path, "coordinator", "-f", file), drained: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	log, err := c.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if m := readyAt.FindStringSubmatch(lines.Text()); m != nil {
			c.address = m[1]
			break
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, log) // its end is the process', of which stop tells
		close(c.drained)
	}()
	if c.address == "" {
		return nil, errors.Join(errors.New("the coordinator ended before it was ready"), lines.Err(), c.kill())
	}
	return c, nil
}

// peak is the most memory that was resident so far, in MB.
func (c *coordinator) peak() (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("the coordinator's memory: %w", err)
	}
	_, rest, found := strings.Cut(string(data), "VmHWM:")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, errors.New("the coordinator's memory: the system does not tell")
	}
	kib, err := strconv.ParseFloat(fields[0], 64)
	return kib * 1024 / 1e6, err
}

// stop ends the coordinator as a Ctrl-C does.
func (c *coordinator) stop() error {
	if c.ended {
		return nil
	}
	c.ended = true
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		return errors.Join(err, c.kill())
	}
	late := time.AfterFunc(stopWithin, func() { _ = c.cmd.Process.Kill() }) // then Wait returns
	defer late.Stop()
	<-c.drained
	_ = c.cmd.Wait() // interrupted, it exits with a status of its own
	return nil
}

// kill ends the coordinator at once.
func (c *coordinator) kill() error {
	c.ended = true
	err := c.cmd.Process.Kill()
	<-c.drained
	_ = c.cmd.Wait() // killed
	return err
}
