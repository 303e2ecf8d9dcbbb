package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/internal/config"
)

// stateFolder is where a coordinator keeps journal, registry and key.
func stateFolder(cfg config.Coordinator) journal.Folder {
	return journal.Folder{Dir: cfg.Dir, Registry: cfg.Identity != ""}
}

// open opens the journal, which coordinator.New replays, and, where there are
// certificates, the registry. Without certificates a first start begins a journal.
func (n *node) open(ctx context.Context, cfg config.Coordinator) (*journal.File, error) {
	traces := func() (string, error) { return formerLife(cfg.Dir) }
	records, members, err := stateFolder(cfg).Open(cfg.Identity == "", traces)
	if err != nil {
		return nil, err
	}
	n.files = append(n.files, records)
	if members == nil {
		return records, nil
	}
	n.files = append(n.files, members)
	n.registry = members
	return records, n.secure(ctx, cfg, members)
}

// formerLife names what a coordinator that ran in a folder has left there; empty:
// nothing.
func formerLife(dir string) (string, error) {
	for _, sub := range []string{"spool", "runs"} {
		left := ""
		err := filepath.WalkDir(filepath.Join(dir, sub), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			if info, err := entry.Info(); err != nil || info.Size() == 0 {
				return err // empty files of the spool are spare ones
			}
			left = path
			return fs.SkipAll
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) || left != "" {
			return left, err
		}
	}
	return "", nil
}

// describe logs where the journal ends, and what a crash had left behind that.
func (n *node) describe(log *zap.Logger, records *journal.File) {
	for _, file := range []*journal.File{records, n.registry} {
		if file == nil {
			continue
		}
		if cut := file.Torn(); cut != nil {
			log.Warn("journal cut to its last whole batch: a crash has torn the next one", zap.String("file", cut.Path), zap.String("why", cut.Why),
				zap.Int64("bytes", cut.Bytes), zap.Int64("offset", cut.Offset), zap.Int64("complete_up_to", cut.Record-1))
		}
	}
	head := records.Head()
	log.Info("journal complete", zap.String("id", records.Origin()), zap.String("incarnation", records.Incarnation()),
		zap.Int64("up_to", head.Size), zap.Stringer("root", head.Root))
}

// begin makes the journal of a new federation, its key and the registry.
func (f founding) begin() error {
	state := journal.Folder{Dir: f.stateDir(), Registry: true}
	if err := os.Mkdir(state.Dir, 0o700); err != nil {
		return err
	}
	return state.Found()
}
