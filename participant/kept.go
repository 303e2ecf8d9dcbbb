package participant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
)

// kept is a reply as it lies in the outbox: its document, and beside its fields
// which offer it answers. Versions that do not know of the offer read the reply
// all the same.
type kept struct {
	exchange.Reply
	Offer string `json:"offer_digest,omitempty"` // SHA-256 of the offer's payload, hexadecimal; "": not known
}

func (k kept) bytes() ([]byte, error) { return json.Marshal(k) }

// repliesIn lists the files of replies in an outbox's folder.
func repliesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var paths []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".json" {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, err
}

var (
	// errNothing marks a file of which a power cut has left the name alone.
	errNothing = errors.New("nothing is in it")
	// errNoReply marks one that holds something else than a reply: a part of one, or
	// what a bad disk has made of it.
	errNoReply = errors.New("it is not a reply as this program writes it")
)

// readReply reads a file of the outbox. What may be wrong with what it holds is
// errNothing or errNoReply.
func readReply(path string) (kept, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return kept{}, err
	}
	if len(bytes.Trim(data, "\x00")) == 0 {
		return kept{}, errNothing
	}
	var k kept
	err = json.Unmarshal(data, &k)
	if err == nil && k.Offer != "" && !spool.ValidDigest(k.Offer) {
		err = fault.Inputf("offer_digest %.80q is not a SHA-256", k.Offer)
	}
	if err == nil {
		err = k.Validate()
	}
	if err != nil {
		return kept{}, fmt.Errorf("%w: %w", errNoReply, err)
	}
	return k, nil
}
