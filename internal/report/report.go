package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/accord-fl/accord/internal/atomicfile"
)

// Report is everything that a page about a training tells.
type Report struct {
	Title     string
	About     string    // what was run and why, in a paragraph
	Settings  []Setting // that shaped the result, in the order to show them
	Command   []string  // that ran it: program and arguments
	Summary   Summary
	Model     Model // the one that was kept
	Rounds    []Round
	Unit      string // what a round is called: "round" or "epoch"
	Label     string // of the model: "federated" or "trained in one place"
	Baselines []Baseline
}

// Setting is a name and a value to show.
type Setting struct{ Name, Value string }

// WriteReport draws the curves and writes the page about them. Model and
// metrics must be in the folder already: the page names their digests.
func (f Folder) WriteReport(r Report) error {
	curves := Curves{Title: r.Title, Unit: r.Unit, Label: r.Label, Rounds: r.Rounds, Baselines: r.Baselines}
	if !curves.Empty() {
		err := errors.Join(
			atomicfile.Write(f.Path(CurvesSVG), curves.WriteSVG),
			atomicfile.Write(f.Path(CurvesPNG), curves.WritePNG),
		)
		if err != nil {
			return err
		}
	}
	files, err := f.digests()
	if err != nil {
		return fmt.Errorf("write %s: %w", f.Path(ReportFile), err)
	}
	var page bytes.Buffer
	r.markdown(&page, files)
	return atomicfile.WriteBytes(f.Path(ReportFile), page.Bytes())
}

// fileDigest is a file of the folder and its SHA-256.
type fileDigest struct{ name, digest string }

// digests hashes the files that are there. metrics.jsonl is left out: it holds
// times, which differ in every run.
func (f Folder) digests() ([]fileDigest, error) {
	var found []fileDigest
	for _, name := range []string{ModelFile, CardFile, CurvesSVG, CurvesPNG} {
		digest, err := hashFile(f.Path(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, fileDigest{name, digest})
	}
	return found, nil
}

func hashFile(path string) (digest string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
