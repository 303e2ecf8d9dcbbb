package coordinator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/spool"
)

// Copies is what a Publisher can implement to give back what it has published,
// when the coordinator's own file of it is damaged or gone.
type Copies interface {
	// Copy writes the run's model called digest to w. Any other bytes are found
	// out and do no harm. It is called beside Publish, and an error says that
	// there is no such copy.
	Copy(run, digest string, w io.Writer) error
}

const (
	// maxReadings is how often an effect is begun again because of artefacts
	// that could not be read.
	maxReadings = 3
	// mendAgain is how long a repair waits that the disk has not allowed.
	mendAgain = 5 * time.Second
)

// mending is an artefact that is being verified and, if need be, repaired.
type mending struct {
	begun   bool
	waiting []chan<- answer
}

// mended is what became of that.
type mended struct {
	digest string
	err    error // with spool.ErrNotFound: nothing can give the artefact back
}

// Mend verifies a global model that somebody could not read, and repairs it when
// that is possible: from the updates that it was made of, from its published
// copy, or by drawing it again. It returns when the model is sound. With any
// error it is not; one with spool.ErrNotFound in its chain names the artefact,
// and has ended or set back the runs that need it.
func (c *Coordinator) Mend(ctx context.Context, digest string) error {
	told := make(chan answer, 1)
	return c.ask(ctx, input{lost: digest, answer: told}, told)
}

// errReported marks the error of an effect that needs no event: its run has been
// told already.
var errReported = errors.New("the run was told")

// repaired is Mend for an effect.
func (c *Coordinator) repaired(ctx context.Context, digest string) error {
	err := c.Mend(ctx, digest)
	if errors.Is(err, spool.ErrNotFound) {
		return fmt.Errorf("%w: %w", errReported, err)
	}
	return err
}

// reading opens a global model for an effect, and has it repaired and reads it
// again when it turns out to be damaged.
func (c *Coordinator) reading(ctx context.Context, digest string, read func(*spool.Blob) error) error {
	once := func() (err error) {
		b, err := c.o.Spool.Open(digest)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.Close()) }()
		return read(b)
	}
	for try := 1; ; try++ {
		err := once()
		if !errors.Is(err, spool.ErrNotFound) || try == maxReadings {
			return err
		}
		if err := c.repaired(ctx, digest); err != nil {
			return err
		}
	}
}

// want has an artefact verified of which the loop does not know whether it is
// sound.
func (c *Coordinator) want(digest string) {
	if c.mending[digest] != nil {
		return
	}
	c.mending[digest] = &mending{}
	c.work.Go(func() {
		_ = c.post(context.Background(), input{lost: digest}) // fails only when nobody listens any more
	})
}

// custody acts on artefacts that are lost or found again.
func (c *Coordinator) custody(ctx context.Context, in input) {
	if in.lost != "" {
		c.mend(ctx, in.lost, in.answer)
	}
	if in.mended != nil {
		c.settle(*in.mended)
	}
}

// mend verifies and repairs an artefact beside the loop, once at a time.
func (c *Coordinator) mend(ctx context.Context, digest string, told chan<- answer) {
	m := c.mending[digest]
	if m == nil {
		m = &mending{}
		c.mending[digest] = m
	}
	if told != nil {
		m.waiting = append(m.waiting, told)
	}
	if m.begun {
		return
	}
	m.begun = true
	var users []user
	for _, r := range c.unfinished {
		users = append(users, user{definition: r.definition, state: r.state})
	}
	c.work.Go(func() {
		err := c.repair(ctx, digest, users)
		_ = c.post(ctx, input{mended: &mended{digest: digest, err: err}}) // fails only at the end
	})
}

// settle tells everybody who waits for an artefact what became of it.
func (c *Coordinator) settle(m mended) {
	waiting := c.mending[m.digest].waiting
	delete(c.mending, m.digest)
	again := false
	var losses []input
	for _, r := range c.activeRuns() {
		s := r.state
		offered := s.Phase == round.Exchanging && s.Model == m.digest
		switch {
		case m.err == nil && offered:
			for _, e := range round.Pending(s) {
				if o, ok := e.(round.Offer); ok {
					c.offer(r, o)
				}
			}
		case errors.Is(m.err, spool.ErrNotFound) && (s.Model == m.digest || s.Release != nil && s.Release.Model == m.digest):
			losses = append(losses, input{run: s.Run, event: round.ArtefactLost{
				Round: s.Round, Attempt: s.Attempt, Artefacts: []string{m.digest}, Reason: m.err.Error(), At: now(),
			}})
		case m.err != nil && offered:
			again = true
		}
	}
	// A run learns of its loss before those who wait do, who may answer with a
	// failure that only follows from it.
	c.work.Go(func() {
		for _, in := range losses {
			_ = c.post(context.Background(), in) // fails only when nobody listens any more
		}
		for _, told := range waiting {
			told <- answer{err: m.err} // buffered by whoever waits
		}
	})
	if again {
		c.after(mendAgain, input{lost: m.digest})
	}
}

// user is a run that may need an artefact, as it was when that was lost.
type user struct {
	definition Definition
	state      round.State
}

// repair verifies an artefact and, if it is damaged or missing, makes it again. An
// error with spool.ErrNotFound says that this is not possible.
func (c *Coordinator) repair(ctx context.Context, digest string, users []user) error {
	err := c.o.Spool.Verify(digest)
	if !errors.Is(err, spool.ErrNotFound) {
		return err
	}
	log := c.log.With(zap.String("artefact", digest))
	log.Error("a global model is lost", zap.Error(err))
	// Twice: a publication that ends between the first ways and the last ones leaves
	// a copy for the former and takes from the latter what they are made of.
	for _, u := range slices.Concat(users, users) {
		from, failed := c.restore(ctx, digest, u)
		if failed == nil {
			log.Info("the global model is repaired", zap.String("source", from))
			return nil
		}
		if err := ctx.Err(); err != nil || disk.Passing(failed) {
			return errors.Join(err, failed)
		}
		log.Debug("not repaired", zap.String("run", u.definition.Name), zap.Error(failed))
	}
	return fmt.Errorf("the global model cannot be read, and nothing here can give it back: %w", err)
}

// restore makes a model again by one of the ways that a run knows, and says which.
// An error that is disk.Passing ends the tries.
func (c *Coordinator) restore(ctx context.Context, digest string, u user) (from string, err error) {
	var errs []error
	for _, way := range c.ways(ctx, digest, u) {
		err := c.o.Spool.Restore(digest, way.write)
		if err == nil || disk.Passing(err) {
			return way.from, err
		}
		errs = append(errs, fmt.Errorf("from %s: %w", way.from, err))
	}
	return "", errors.Join(errs...)
}

// way is how a model may be made again.
type way struct {
	from  string
	write func(io.Writer) error
}

func (c *Coordinator) ways(ctx context.Context, digest string, u user) (ways []way) {
	if copies, ok := c.o.Publisher.(Copies); ok {
		ways = append(ways, way{"its published copy", func(w io.Writer) error { return copies.Copy(u.definition.Name, digest, w) }})
	}
	if spec := u.definition.Spec; spec != nil {
		ways = append(ways, way{"the run's seed", func(w io.Writer) error { return InitialModel(spec, u.definition.Seed).Write(w) }})
	}
	if r := u.state.Release; r != nil && r.Model == digest {
		ways = append(ways, way{"the updates that it was made of", func(w io.Writer) error {
			if c.o.Spool.Verify(r.Parent) != nil {
				if _, err := c.restore(ctx, r.Parent, u); err != nil {
					return err
				}
			}
			return c.aggregate(ctx, u.definition, round.Aggregate{Round: r.Round, Attempt: r.Attempt, Base: r.Parent, Updates: r.Updates}, w)
		}})
	}
	return ways
}
