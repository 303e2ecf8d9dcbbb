package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// line is a decision as it is written down.
type line struct {
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

// appendLine writes l at the end of the decisions in dir. It survives the end
// of the process at once, and a power cut when the system has written it out.
func appendLine(dir string, l line) (err error) {
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	data = quote.Escaped(data) // people look at it with the tools of the system
	path := filepath.Join(dir, DecisionsFile)
	info, err := os.Stat(path)
	switch {
	case err == nil && info.Size()+int64(len(data)) > maxDecisions:
		err = os.Rename(path, filepath.Join(dir, DecisionsOldFile))
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	torn, err := isTorn(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if torn {
		data = append([]byte{'\n'}, data...)
	}
	_, err = f.Write(append(data, '\n'))
	return err
}

// isTorn tells whether a crash has left a line without its end.
func isTorn(f *os.File) (bool, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return false, err
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], size-1)
	return last[0] != '\n', err
}
