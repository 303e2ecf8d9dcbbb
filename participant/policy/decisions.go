package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/accord-fl/accord/internal/quote"
)

// The files of decisions, in the participant's folder. The older one is what
// the newer one was when it had grown to maxDecisions.
const (
	DecisionsFile    = "decisions.jsonl"
	DecisionsOldFile = "decisions.1.jsonl"
)

// maxDecisions bounds, in bytes, a file of decisions.
const maxDecisions = 8 << 20

// Noted is a decision as it is written down.
type Noted struct {
	At       time.Time `json:"at"`
	Run      string    `json:"run"`
	Round    int       `json:"round"`
	Task     string    `json:"task"`
	Verdict  Verdict   `json:"verdict"`
	Rule     string    `json:"rule,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Approved string    `json:"approved_by,omitempty"`
	Facts    string    `json:"facts"` // digest
}

// note writes n at the end of the decisions.
func (r Records) note(n Noted) error {
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	data = quote.Escaped(data) // people look at it with the tools of the system
	path := filepath.Join(r.Dir, DecisionsFile)
	info, err := os.Stat(path)
	switch {
	case err == nil && info.Size()+int64(len(data)) > maxDecisions:
		err = r.disk().Rename(path, filepath.Join(r.Dir, DecisionsOldFile))
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err != nil {
		return err
	}
	return appendTo(r.disk(), path, append(data, '\n'))
}

// NotAllowed returns the last decisions, at most limit, by which tasks of a run
// were not allowed, the newest last, and whether the last task was allowed.
func (r Records) NotAllowed(run string, limit int) (noted []Noted, allowed bool, err error) {
	noted = []Noted{} // in JSON a list, also when it is empty
	for _, name := range []string{DecisionsOldFile, DecisionsFile} {
		data, err := os.ReadFile(filepath.Join(r.Dir, name)) // at most maxDecisions
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, false, fmt.Errorf("read decisions: %w", err)
		}
		for line := range bytes.Lines(data) {
			var n Noted
			if json.Unmarshal(line, &n) != nil || n.Run != run {
				continue // a line that is not whole was cut short by a crash
			}
			if allowed = n.Verdict == Allow; !allowed {
				noted = append(noted, n)
			}
		}
		noted = noted[max(0, len(noted)-limit):]
	}
	return noted, allowed, nil
}
