package participant

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/accord-fl/accord/internal/spool"
)

// state is what a participant keeps on disk: artefacts, and the replies that
// name some of them.
type state struct {
	spool    *spool.Spool
	spoolDir string
	outbox   *outbox
}

func openState(dir string) (*state, error) {
	s := &state{spoolDir: filepath.Join(dir, "artefacts")}
	var err error
	if s.outbox, err = openOutbox(filepath.Join(dir, "outbox")); err != nil {
		return nil, err
	}
	if s.spool, err = spool.Open(s.spoolDir, spool.Options{Sync: true}); err != nil {
		return nil, err
	}
	return s, nil
}

// sweep removes every artefact but keep and those that a reply in the outbox
// names. Only the goroutine that makes artefacts may call it.
func (s *state) sweep(keep string) error {
	named := map[string]bool{keep: true}
	for _, r := range s.outbox.all() {
		if r.Update == nil {
			continue
		}
		for _, a := range r.Update.Artefacts {
			named[a.Digest] = true
		}
	}
	files, err := os.ReadDir(s.spoolDir)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	var errs []error
	for _, f := range files {
		if !named[f.Name()] {
			errs = append(errs, s.spool.Remove(f.Name()))
		}
	}
	return errors.Join(errs...)
}
