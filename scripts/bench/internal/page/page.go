// Package page keeps what the benchmarks measured, and writes docs/benchmarks.md
// of it. Several programs share the page: each replaces its own measurements.
package page

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/accord-fl/accord/internal/atomicfile"
)

// order is that of the measurements on the page.
var order = []string{
	"default", "sites", "central", "fedavg", "idle", "rest", "lost", "flood", "siege", "large", "crowd", "many", "resume",
	"step2", "step1", "train", "round", "engine", "odd", "fold",
}

// Row is one line of a table: of that of speeds where Kernel is set.
type Row struct {
	What    string `json:"what"`
	Bar     string `json:"bar"`
	Figure  string `json:"figure"`
	Holds   bool   `json:"holds"`
	Command string `json:"command"` // one or more lines

	Stretch bool   `json:"stretch,omitempty"` // reached what the bar calls so
	Kernel  string `json:"kernel,omitempty"`  // the family of kernels that computed
	Peer    string `json:"peer,omitempty"`    // the fastest other software, its version and its figure
	Ratio   string `json:"ratio,omitempty"`   // how many times as fast ours is
}

// Results are all measurements so far, by name.
type Results struct {
	Measured map[string]measured `json:"measured"`
}

// measured is one measurement, where and when.
type measured struct {
	Machine string `json:"machine"`
	Date    string `json:"date"`
	Rows    []Row  `json:"rows"`
}

// file is where the figures are kept for the next time.
const file = "benchmarks.json"

// Load reads what was measured before, if anything, from the folder of the page.
func Load(dir string) (*Results, error) {
	path := filepath.Join(dir, file)
	r := &Results{Measured: map[string]measured{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Put replaces a measurement. It panics when the page has no place for it.
func (r *Results) Put(name string, rows []Row) {
	if !slices.Contains(order, name) {
		panic("page: no place for " + name)
	}
	r.Measured[name] = measured{Machine: machine(), Date: time.Now().UTC().Format(time.DateOnly), Rows: rows}
}

// Report prints rows, puts them among the results, and saves these.
func (r *Results) Report(w io.Writer, name string, rows []Row, dir string) error {
	for _, row := range rows {
		if _, err := fmt.Fprintf(w, "%-8s %s\n", name, row.line()); err != nil {
			return err
		}
	}
	r.Put(name, rows)
	return r.Save(dir)
}

// Save writes the figures for the next time and the page for people.
func (r *Results) Save(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		atomicfile.WriteBytes(filepath.Join(dir, file), append(data, '\n')),
		atomicfile.WriteBytes(filepath.Join(dir, "benchmarks.md"), []byte(r.page())),
	)
}

// machine names the processor, as far as the system tells.
func machine() string {
	model := runtime.GOARCH
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer func() { _ = f.Close() }() // only read
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores, %s/%s, %s", model, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}
