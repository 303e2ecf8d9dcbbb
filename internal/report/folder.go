package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/accord-fl/accord/internal/atomicfile"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
)

// Files of a run folder.
const (
	ModelFile   = "model.safetensors"
	CardFile    = "model.json"
	MetricsFile = "metrics.jsonl"
	CurvesSVG   = "curves.svg"
	CurvesPNG   = "curves.png"
	ReportFile  = "report.md"
)

// Folder is a run folder on a disk.
type Folder struct {
	dir  string
	disk disk.Disk
}

// Create makes a new run folder, and the folders above it, durably. A folder or
// file that is already there is an error of class fault.Exists, and stays as it is.
func Create(dir string) (Folder, error) { return CreateOn(disk.OS(), dir) }

// CreateOn is Create on a disk, through which what is published is written.
func CreateOn(d disk.Disk, dir string) (Folder, error) {
	if err := Free(dir); err != nil {
		return Folder{}, err
	}
	if err := disk.Make(d, dir, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return Folder{}, exists(dir)
		}
		return Folder{}, fault.As(fault.Input, err)
	}
	return Folder{dir, d}, nil
}

// Free returns the error of Create when something is at dir already: for
// saying so before a long wait.
func Free(dir string) error {
	if _, err := os.Lstat(dir); err == nil {
		return exists(dir)
	}
	return nil
}

func exists(dir string) error {
	return fault.As(fault.Exists, fmt.Errorf("run folder %s is already there; choose another with --out", dir))
}

// Open returns the run folder dir of an earlier process.
func Open(dir string) (Folder, error) { return OpenOn(disk.OS(), dir) }

// OpenOn is Open on a disk, through which what is published is written.
func OpenOn(d disk.Disk, dir string) (Folder, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return Folder{}, fault.As(fault.Input, err)
	}
	if !info.IsDir() {
		return Folder{}, fault.Inputf("%s is not a folder", dir)
	}
	return Folder{dir, d}, nil
}

// DefaultParent is the folder that CreateDefault makes run folders in.
const DefaultParent = "runs"

// CreateDefault makes the run folder of a run that starts now:
// runs/<name>-<date>-<time>, or the same with -2, -3, … when runs start at the
// same time.
func CreateDefault(name string, now time.Time) (Folder, error) {
	base := filepath.Join(DefaultParent, name+"-"+now.Format("20060102-150405"))
	dir := base
	for n := 2; ; n++ {
		folder, err := Create(dir)
		if !errors.Is(err, fault.Exists) {
			return folder, err
		}
		dir = fmt.Sprintf("%s-%d", base, n)
	}
}

// Dir returns the path of the folder.
func (f Folder) Dir() string { return f.dir }

// Path returns the path of the named file in the folder.
func (f Folder) Path(name string) string { return filepath.Join(f.dir, name) }

// RemoveIfEmpty removes the folder when nothing was written to it. Call it
// when a run fails, so that it can be tried again under the same name.
func (f Folder) RemoveIfEmpty() { _ = os.Remove(f.dir) } // fails, rightly, when files are in it

// WriteModel publishes a model: write puts the safetensors file out, m says
// what it is. model.json takes its place last, so a digest in it that is not that of
// model.safetensors means that a crash came between the two.
func (f Folder) WriteModel(write func(io.Writer) error, m Model) error {
	card, err := quote.JSON(m, "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", f.Path(CardFile), err)
	}
	return atomicfile.On(f.disk).WriteTogether(
		atomicfile.Replacement{Path: f.Path(ModelFile), Write: write},
		atomicfile.Replacement{Path: f.Path(CardFile), Write: func(w io.Writer) error {
			_, err := io.WriteString(w, string(card)+"\n")
			return err
		}},
	)
}

// ReadModel reads the model.json at path. Names in it that could be taken for
// something else where they are shown are an error of class fault.Input.
func ReadModel(path string) (Model, error) {
	var m Model
	data, err := os.ReadFile(path)
	if err != nil {
		return m, fault.As(fault.Input, err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fault.Inputf("%s: %w", path, err)
	}
	if err := m.checkTexts(); err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}
