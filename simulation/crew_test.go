package simulation

import (
	"context"
	"io"
	"path/filepath"
	"testing"

	"go.uber.org/zap/zaptest"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/trainer"
)

// forgetful loses the first update that is stored, as the end of another
// round's need of the same bytes would.
type forgetful struct {
	shared
	stored int
}

func (f *forgetful) Store(ctx context.Context, write func(io.Writer) error) (exchange.Artefact, error) {
	a, err := f.shared.Store(ctx, write)
	if f.stored++; err == nil && f.stored == 1 {
		err = f.spool.Remove(a.Digest)
	}
	return a, err
}

func TestUpdateThatIsGoneIsMadeAgain(t *testing.T) {
	o := options(t, 1)
	if err := o.prepare(); err != nil {
		t.Fatal(err)
	}
	store, err := journal.OpenFile(o.journal())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	blobs, err := spool.Open(filepath.Join(o.Dir, "spool"), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := coordinator.New(t.Context(), coordinator.Options{Journal: store, Spool: blobs, Log: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	w := o.hire(ctx, c, blobs)
	defer func() { cancel(); w.close() }()
	o.Definition.Rounds = 1
	lossy := &forgetful{shared: shared{blobs, c}}
	site := &participant.Site{Name: "lossy", Trainer: &trainer.Builtin{Data: o.Sites[0].Data, Engines: w.engines}, Blobs: lossy}
	defer c.Attach(&link{site: site, crew: w})()
	o.Definition.MinSites = 2
	if err := c.Submit(ctx, o.Definition, nil, 0); err != nil {
		t.Fatal(err)
	}
	var last coordinator.RunStatus
	for seq := uint64(0); !last.Phase.Final(); {
		state, now, err := c.Since(ctx, o.Definition.Name, seq)
		if err != nil {
			t.Fatal(err)
		}
		last, seq = coordinator.Describe(state), now
	}
	if last.Phase != round.Completed || last.Accepted != 2 || lossy.stored != 2 {
		t.Errorf("got %+v after %d stores, want both answers accepted, the lost one after a second store", last, lossy.stored)
	}
}
