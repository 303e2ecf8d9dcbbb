package participant

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/internal/disk"
)

// errDisk is why something was given up that waited for the site's disk. It says
// nothing about the disk: it leaves the site.
var errDisk = errors.New("the site's disk cannot be written to for now")

// repeatAfter is how long a fault of the disk lasts before the log says it again.
const repeatAfter = time.Minute

// patience waits for the site's disk. What fails for want of it is tried again,
// more and more slowly; the log says so once, again when it lasts, and when it is
// over. Methods may be called concurrently.
type patience struct {
	log *zap.Logger

	mu      sync.Mutex
	waiting int       // how many wait
	said    time.Time // when the log said so
}

// retry does something until it succeeds, or fails for another reason than the
// disk, whose error it returns. When ctx ends before, the error is errDisk and
// ctx's cause.
func (p *patience) retry(ctx context.Context, do func() error) error {
	err := do()
	if !disk.Passing(err) {
		return err
	}
	p.begin()
	defer p.end()
	for pause := newRetry(); disk.Passing(err); err = do() {
		p.say(err)
		if !sleep(ctx, pause.NextBackOff()) {
			return fmt.Errorf("%w: %w", errDisk, context.Cause(ctx))
		}
	}
	return err
}

func (p *patience) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting++
}

func (p *patience) say(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.said.IsZero() || now.Sub(p.said) >= repeatAfter {
		p.said = now
		what := "the disk fails: waiting"
		if errors.Is(err, syscall.ENOSPC) {
			what = "disk full: waiting"
		}
		p.log.Error(what, zap.Error(err))
	}
}

func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting--; p.waiting == 0 && !p.said.IsZero() {
		p.said = time.Time{}
		p.log.Info("the disk is waited for no longer")
	}
}

// local reports whether an error is one of the site's own files, whose text names
// paths and must not leave the site.
func local(err error) bool {
	var path *fs.PathError
	var link *os.LinkError
	return errors.As(err, &path) || errors.As(err, &link)
}
