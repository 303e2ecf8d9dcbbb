package dataset

import (
	"encoding/hex"
	"net/url"
	"path/filepath"

	"github.com/accord-fl/accord/internal/fault"
)

// Source is a published data set: files of known content, and where they are
// served.
type Source struct {
	Name    string
	Mirrors []string // addresses of folders that hold all files, best first
	Files   []SourceFile
}

// SourceFile is a file of a source.
type SourceFile struct {
	Name   string // in the mirrors' folders and in the one that is fetched to
	Size   int64  // in bytes
	SHA256 string // in hex
}

// FindSource returns the published data set of the given name.
func FindSource(name string) (Source, error) {
	switch name {
	case "mnist":
		return mnist(), nil
	default:
		return Source{}, fault.Inputf("no data set %q to fetch; there is mnist", name)
	}
}

// mnist is the set of handwritten digits by LeCun, Cortes and Burges, as
// published at http://yann.lecun.com/exdb/mnist, which is no longer served.
func mnist() Source {
	return Source{
		Name: "mnist",
		Mirrors: []string{
			"https://ossci-datasets.s3.amazonaws.com/mnist/",
			"https://storage.googleapis.com/cvdf-datasets/mnist/",
		},
		Files: []SourceFile{
			{"train-images-idx3-ubyte.gz", 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
			{"train-labels-idx1-ubyte.gz", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
			{"t10k-images-idx3-ubyte.gz", 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
			{"t10k-labels-idx1-ubyte.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"},
		},
	}
}

// Validate reports what Fetch could not work with.
func (s Source) Validate() error {
	if len(s.Mirrors) == 0 || len(s.Files) == 0 {
		return fault.Inputf("data set %s has %d files and %d mirrors, want one of each at least", s.Name, len(s.Files), len(s.Mirrors))
	}
	for _, mirror := range s.Mirrors {
		u, err := url.Parse(mirror)
		switch {
		case err != nil:
			return fault.Inputf("mirror: %w", err)
		case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			return fault.Inputf("mirror %q: want the address of a folder, https://HOST/FOLDER/ or http://HOST/FOLDER/", u.Redacted())
		}
	}
	for _, f := range s.Files {
		digest, err := hex.DecodeString(f.SHA256)
		if f.Name != filepath.Base(f.Name) || !filepath.IsLocal(f.Name) || f.Size < 1 || err != nil || len(digest) != 32 {
			return fault.Inputf("data set %s: file %q needs a plain name, a size and a SHA-256", s.Name, f.Name)
		}
	}
	return nil
}

// Size returns the bytes of all files.
func (s Source) Size() int64 {
	total := int64(0)
	for _, f := range s.Files {
		total += f.Size
	}
	return total
}
