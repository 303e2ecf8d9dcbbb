package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
)

// Approval is a person's consent to a run as it was offered.
type Approval struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Digest string    `json:"digest"` // of Facts
	Facts  Facts     `json:"facts"`
}

// lacks says why a task with facts f is not approved, or "".
func (a *Approval) lacks(f Facts) string {
	const wait = "waits for approval at the site"
	switch {
	case a == nil:
		return wait
	case a.Digest != f.Digest():
		return wait + ": the run is not what was approved"
	case !(f.Plan.Optimizer.LR <= a.Facts.Plan.Optimizer.LR):
		return fmt.Sprintf("%s: learning rate %g is above the %g that was approved", wait, f.Plan.Optimizer.LR, a.Facts.Plan.Optimizer.LR)
	default:
		return ""
	}
}

// Covers reports whether a task with facts f is approved.
func (a *Approval) Covers(f Facts) bool { return a.lacks(f) == "" }

// Offer is the last task of a run that came with new facts.
type Offer struct {
	At     time.Time     `json:"at"`
	Digest string        `json:"digest"` // of Facts
	Facts  Facts         `json:"facts"`
	Task   exchange.Task `json:"task"`
}

// Records are a site's offers and approvals, in its folder. Other processes
// may read and write them at the same time: each record is a file of its own
// and is replaced whole.
type Records struct {
	Dir  string    // the participant's folder
	Disk disk.Disk // what they are written through; nil: the operating system's
}

func (r Records) disk() disk.Disk {
	if r.Disk == nil {
		return disk.OS()
	}
	return r.Disk
}

// maxBy bounds the name of who approves, in bytes.
const maxBy = 200

// Approve records that by consents to the run as it was offered last. When
// digest is not empty it must begin Facts.Shown of that: what was looked at, the
// learning rate too, is what is approved. What is approved already stays so, by whom it was.
func (r Records) Approve(run, digest, by string, now time.Time) (Approval, error) {
	by = strings.TrimSpace(by)
	if by == "" || len(by) > maxBy || strings.ContainsFunc(by, unicode.IsControl) {
		return Approval{}, fault.Usagef("want the name of who approves (--by), one line of at most %d bytes", maxBy)
	}
	o, err := r.Offer(run)
	if err != nil {
		return Approval{}, err
	}
	if shown := o.Facts.Shown(); !strings.HasPrefix(shown, digest) {
		return Approval{}, fault.Inputf("run %s is %.12s: either the digest is mistyped, or the run was offered again with something else: look at it before you approve it", run, shown)
	}
	// Who was first has taken the responsibility.
	if given, err := r.Approval(run); err == nil && given != nil && given.Covers(o.Facts) {
		return *given, nil
	}
	a := Approval{By: by, At: now, Digest: o.Digest, Facts: o.Facts}
	return a, r.write(r.approvals(), run, a)
}

// Revoke withdraws an approval. A training under way goes on; the next task
// is not allowed.
func (r Records) Revoke(run string) error {
	if !exchange.ValidName(run) {
		return fault.Inputf("%.80q cannot name a run", run)
	}
	err := os.Remove(file(r.approvals(), run))
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Inputf("run %s is not approved", run)
	}
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	return r.disk().SyncDir(r.approvals())
}

// Approval returns that of a run, or nil when there is none.
func (r Records) Approval(run string) (*Approval, error) {
	a, err := read[Approval](r.approvals(), run)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return &a, err
}

// Offer returns that of a run; when there is none, an error of class
// fault.Input.
func (r Records) Offer(run string) (Offer, error) {
	o, err := read[Offer](r.offers(), run)
	if errors.Is(err, fs.ErrNotExist) {
		return o, fault.Inputf("run %s was not offered to this site yet", run)
	}
	return o, err
}

// Runs returns the names of the runs that were offered, sorted.
func (r Records) Runs() ([]string, error) {
	entries, err := os.ReadDir(r.offers())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list offers: %w", err)
	}
	var runs []string
	for _, e := range entries {
		if run, ok := strings.CutSuffix(e.Name(), ".json"); ok && exchange.ValidName(run) {
			runs = append(runs, run)
		}
	}
	return runs, nil
}

func (r Records) offers() string    { return filepath.Join(r.Dir, "offers") }
func (r Records) approvals() string { return filepath.Join(r.Dir, "approvals") }

func file(dir, run string) string { return filepath.Join(dir, run+".json") }

// maxIndented is up to how many bytes a record is written for people to read.
const maxIndented = 64 << 10

func (r Records) write(dir, run string, record any) error {
	data, err := json.Marshal(record)
	if err == nil && len(data) <= maxIndented {
		data, err = json.MarshalIndent(record, "", "  ")
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return atomicfile.On(r.Disk).WriteBytes(file(dir, run), append(data, '\n'))
}

func read[T any](dir, run string) (record T, err error) {
	if !exchange.ValidName(run) {
		return record, fault.Inputf("%.80q cannot name a run", run)
	}
	data, err := os.ReadFile(file(dir, run))
	if err != nil {
		return record, err
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return record, fault.Inputf("%s: %w", file(dir, run), err)
	}
	return record, nil
}
