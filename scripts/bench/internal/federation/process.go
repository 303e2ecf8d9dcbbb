package federation

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Entry is a line of a process' log, as far as measurements read it.
type Entry struct {
	Time        time.Time `json:"time"`
	Event       string    `json:"event"`
	Address     string    `json:"address"`
	Round       int       `json:"round"`
	Participant string    `json:"participant"`
	Count       int       `json:"count"`
	Reason      string    `json:"reason"`
	Task        string    `json:"task"`
}

// Process is a running one. Its log is JSON, a line an entry, on its stderr.
type Process struct {
	cmd  *exec.Cmd
	read chan struct{} // closed when the log has ended

	mu      sync.Mutex
	entries []Entry
	text    strings.Builder // what was no entry
	more    chan struct{}   // closed and replaced when there is more of either
}

// Launch starts a process and reads its log.
func Launch(cmd *exec.Cmd) (*Process, error) {
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, read: make(chan struct{}), more: make(chan struct{})}
	go p.listen(log)
	return p, nil
}

func (p *Process) listen(log io.Reader) {
	defer close(p.read)
	for lines := bufio.NewScanner(log); lines.Scan(); {
		var e Entry
		err := json.Unmarshal(lines.Bytes(), &e)
		p.mu.Lock()
		if err == nil {
			p.entries = append(p.entries, e)
		} else {
			fmt.Fprintln(&p.text, lines.Text())
		}
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
}

// Entries returns all entries so far of an event.
func (p *Process) Entries(event string) []Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.entries), func(e Entry) bool { return e.Event != event })
}

// Await waits for entry n, from 0, of an event.
func (p *Process) Await(ctx context.Context, event string, n int) (Entry, error) {
	for seen := 0; ; {
		p.mu.Lock()
		more, unseen := p.more, p.entries[seen:] // which never change
		p.mu.Unlock()
		for _, e := range unseen {
			if e.Event != event {
				continue
			}
			if n == 0 {
				return e, nil
			}
			n--
		}
		seen += len(unseen)
		select {
		case <-more:
		case <-p.read:
			p.mu.Lock()
			defer p.mu.Unlock()
			return Entry{}, fmt.Errorf("%s ended before it said %q: %s", p.cmd.Args[:2], event, p.text.String())
		case <-ctx.Done():
			return Entry{}, ctx.Err()
		}
	}
}

// Kill ends the process at once.
func (p *Process) Kill() error { return p.cmd.Process.Kill() }

// Pause stops the process where it is, its connections open.
func (p *Process) Pause() error { return pause(p.cmd.Process) }

// Memory is what the process has in RAM, in bytes.
func (p *Process) Memory() (int64, error) { return p.status("VmRSS:") }

// Peak is the most that the process has had in RAM, in bytes.
func (p *Process) Peak() (int64, error) { return p.status("VmHWM:") }

// ForgetPeak has Peak tell of what comes from now on.
func (p *Process) ForgetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0) // proc(5)
}

// Processor is how long the process has computed, on all processors together.
func (p *Process) Processor() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // after the name, which may hold anything
	fields := strings.Fields(rest)
	var ticks int64
	for _, at := range []int{11, 12} { // utime and stime of proc(5), in hundredths of a second
		if at >= len(fields) {
			return 0, fmt.Errorf("process %d does not tell its time", p.cmd.Process.Pid)
		}
		n, err := strconv.ParseInt(fields[at], 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100), nil
}

// status is what the system tells of the process, a number of kB.
func (p *Process) status(key string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		if kib, ok := bytes.CutPrefix(line, []byte(key)); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(kib)), " kB"), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("process %d does not tell its memory", p.cmd.Process.Pid)
}

// Ended reports whether the process has ended by itself, and what it said that
// was no entry of a log.
func (p *Process) Ended() (said string, ended bool) {
	select {
	case <-p.read:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.text.String(), true
	default:
		return "", false
	}
}

// Close ends the process and waits for it. How it ended says nothing.
func (p *Process) Close() error {
	if err := p.cmd.Process.Kill(); err != nil && p.cmd.ProcessState == nil {
		return err
	}
	<-p.read
	_ = p.cmd.Wait() // it was killed
	return nil
}
