package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/accord-fl/accord/internal/atomicfile"
)

// results are all measurements so far, by name.
type results struct {
	Measured map[string]measured `json:"measured"`
}

// measured is one measurement, where and when.
type measured struct {
	Machine string `json:"machine"`
	Date    string `json:"date"`
	Rows    []row  `json:"rows"`
}

func load(path string) (*results, error) {
	r := &results{Measured: map[string]measured{}}
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

func (r *results) put(name string, rows []row) {
	r.Measured[name] = measured{Machine: machine(), Date: time.Now().UTC().Format(time.DateOnly), Rows: rows}
}

// save writes the figures for the next time and the page for people.
func (r *results) save(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		atomicfile.WriteBytes(filepath.Join(dir, "benchmarks.json"), append(data, '\n')),
		atomicfile.WriteBytes(filepath.Join(dir, "benchmarks.md"), []byte(r.page())),
	)
}

func (r *results) page() string {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\nWritten by `go run ./scripts/bench`; do not edit. Machines differ and are noisy: run it on yours.\n\n")
	b.WriteString("| what | bar | measured | holds |\n|---|---|---|---|\n")
	var notes strings.Builder
	for _, m := range measurements() {
		done, ok := r.Measured[m.name]
		if !ok {
			continue
		}
		command := ""
		for _, row := range done.Rows {
			holds := "yes"
			if !row.Holds {
				holds = "**no**"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", row.What, row.Bar, row.Figure, holds)
			if row.Command != command {
				command = row.Command
				fmt.Fprintf(&notes, "- %s: %s, %s\n\n      %s\n\n", m.name, done.Machine, done.Date, command)
			}
		}
	}
	return b.String() + "\nWhere, when and how:\n\n" + notes.String()
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
