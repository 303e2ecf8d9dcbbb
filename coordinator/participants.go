package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
)

// Spool is where artefacts lie that participants fetch and store.
func (c *Coordinator) Spool() *spool.Spool { return c.o.Spool }

// Awaits is how many bytes an artefact of the participant's answer to the
// task may have: the contract's tensors and a generous header. It is 0 when no
// answer is awaited, or the task has brought too many.
func (c *Coordinator) Awaits(participant, task string) int64 {
	name, _, _ := strings.Cut(task, "/")
	c.mu.RLock()
	defer c.mu.RUnlock()
	r := c.runs[name]
	if r == nil || r.state.Phase.Final() {
		return 0
	}
	if t, ok := r.state.Task(task); !ok || t.Participant != participant || !awaited(t) || c.uploads.full(task) {
		return 0
	}
	return r.definition.Contract.MaxFile()
}

// Offered reports whether participants may fetch an artefact: it is the model that
// an unfinished run's tasks start from. Updates, which only their sites and the
// coordinator may see, lie in the same spool.
func (c *Coordinator) Offered(digest string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, r := range c.unfinished {
		if r.state.Model == digest {
			return true
		}
	}
	return false
}

// awaited reports whether an answer to the task may still count.
func awaited(t round.Task) bool { return t.Status == round.Open || t.Status == round.Lost }

// Attach makes l's participant one that attends, until detach is called.
// Tasks of its that are open are offered to l. A link of the same name that
// attended before is replaced, whoever it is; Admit judges that.
func (c *Coordinator) Attach(l Link) (detach func()) {
	c.examine(l)
	c.roster.put(l)
	return c.attached(l)
}

// attached has l's open tasks offered to it.
func (c *Coordinator) attached(l Link) (detach func()) {
	c.visits.note(c.log, "participant attached", l.Name())
	_ = c.post(context.Background(), input{attached: l.Name()}) // a coordinator that has stopped needs no links
	return func() {
		if c.roster.remove(l) {
			c.visits.note(c.log, "participant detached", l.Name())
			c.watchAbsence(l.Name(), c.o.Away)
		}
	}
}

// Attending returns the names of who attends, sorted.
func (c *Coordinator) Attending() []string { return slices.Clone(c.roster.names()) }

// Answer takes a participant's reply to a task. The artefacts it names must
// be in the spool. When the error is nil the receipt's verdict is durable. An
// error means that the reply was not understood (class fault.Input) or could
// not be recorded; only then is it worth sending again.
func (c *Coordinator) Answer(ctx context.Context, participant string, reply exchange.Reply) (exchange.Receipt, error) {
	return c.answer(ctx, participant, reply, reply.Validate())
}

// Misunderstood is Answer for a reply to the task that could not be read, for the
// reason why: if an answer is awaited, it was this one.
func (c *Coordinator) Misunderstood(ctx context.Context, participant, task string, why error) (exchange.Receipt, error) {
	return c.answer(ctx, participant, exchange.Reply{Task: task}, why)
}

// answer is Answer; wrong is what is wrong with the reply itself.
func (c *Coordinator) answer(ctx context.Context, participant string, reply exchange.Reply, wrong error) (exchange.Receipt, error) {
	name, _, _ := strings.Cut(reply.Task, "/")
	c.mu.RLock()
	r := c.runs[name]
	var state round.State
	var d Definition
	if r != nil {
		state, d = r.state, r.definition
	}
	c.mu.RUnlock()
	t, ok := state.Task(reply.Task)
	open := ok && t.Participant == participant && awaited(t)
	event := round.Answered{Task: reply.Task, Participant: participant, Outcome: round.Invalid, At: now()}
	switch {
	case wrong != nil && !open:
		return exchange.Receipt{}, wrong
	case wrong != nil:
		event.Reason = wrong.Error() // nobody waits for a better one
	case r == nil:
		// It was removed, or lost in a restore: there is nothing wrong with the reply.
		return exchange.Receipt{Task: reply.Task, Verdict: exchange.Late, Reason: ErrNoRun.Error()}, nil
	case open && !c.answersOffer(reply, d, state, t):
		event.Outcome, event.Reason = round.Stale, "it answers another offer of this task"
		if reply.Update != nil {
			event.Digest = reply.Update.Artefacts[exchange.Delta].Digest
		}
	case reply.Outcome != exchange.Done:
		event.Outcome, event.Reason, event.Later = round.Refused, string(reply.Outcome)+": "+reply.Reason, reply.Later
		event.Diverged = reply.Diverged
	default:
		event.Outcome, event.Digest, event.Samples = round.Valid, reply.Update.Artefacts[exchange.Delta].Digest, reply.Update.Samples
	}
	if event.Digest != "" {
		c.pins.pin(event.Digest)
	}
	if event.Outcome == round.Valid && open {
		err := c.check(d, state, reply.Update)
		if errors.Is(err, spool.ErrNotFound) {
			c.pins.unpin(event.Digest)
			return exchange.Receipt{}, fault.Inputf("task %s: %w: store it before answering", reply.Task, err)
		}
		if disk.Passing(err) { // which is no fault of the update
			c.pins.unpin(event.Digest)
			return exchange.Receipt{}, fmt.Errorf("task %s: %w", reply.Task, err)
		}
		if err != nil {
			event.Outcome, event.Reason, event.Diverged = round.Invalid, err.Error(), errors.Is(err, model.ErrNotFinite)
		}
	}
	return c.record(ctx, input{run: name, event: event, update: reply.Update}, event)
}

// answersOffer reports whether a reply is to the document that the coordinator
// offers for the task now, as far as that is known: a participant may not tell,
// and a model may be missing.
func (c *Coordinator) answersOffer(reply exchange.Reply, d Definition, s round.State, t round.Task) bool {
	if reply.Offer == "" {
		return true
	}
	size, ok := c.o.Spool.Has(s.Model)
	if !ok {
		return true
	}
	// All of it follows from the state, so it is what was offered before, also by
	// another process.
	offered := d.task(s.OfferOf(t), s.Seats(), s.Minimum(), size)
	return reply.Offer == exchange.OfferDigest(offered.Document())
}

// OfferAgain offers a task to its participant once more, if it is still open:
// for after a receipt that leaves it so, such as that of an answer to another
// offer of it. It reports whether it is.
func (c *Coordinator) OfferAgain(participant, task string) (again bool) {
	name, _, _ := strings.Cut(task, "/")
	s, err := c.State(name)
	if err != nil {
		return false
	}
	t, ok := s.Task(task)
	if !ok || t.Participant != participant || !awaited(t) {
		return false
	}
	_ = c.post(context.Background(), input{attached: participant}) // a coordinator that has stopped offers nothing
	return true
}

// record waits until an answer's verdict is durable.
func (c *Coordinator) record(ctx context.Context, in input, event round.Answered) (exchange.Receipt, error) {
	told := make(chan answer, 1)
	in.answer = told
	if err := c.post(ctx, in); err != nil {
		c.pins.unpin(event.Digest)
		return exchange.Receipt{}, err
	}
	select {
	case a := <-told:
		return exchange.Receipt{Task: event.Task, Verdict: exchange.Verdict(a.verdict), Reason: a.reason}, a.err
	case <-c.done:
		return exchange.Receipt{}, ErrClosed
	case <-ctx.Done():
		return exchange.Receipt{}, ctx.Err()
	}
}

// check reports whether an update suits its task: trained from the global
// model, its artefact in the spool and of the size claimed, the contract's
// tensors, every value finite.
func (c *Coordinator) check(d Definition, s round.State, u *exchange.Update) (err error) {
	if u.Base != s.Model {
		return fault.Inputf("trained from model %.12s, the task's is %.12s", u.Base, s.Model)
	}
	delta := u.Artefacts[exchange.Delta]
	b, err := c.o.Spool.Open(delta.Digest)
	if err != nil {
		return fmt.Errorf("update artefact: %w", err)
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if b.Size() != delta.Bytes {
		return fault.Inputf("update artefact: %d bytes, announced were %d", b.Size(), delta.Bytes)
	}
	v, err := model.OpenFile(b, b.Size(), d.Contract)
	if err != nil {
		return fmt.Errorf("update artefact: %w", err)
	}
	if err := v.CheckFinite(); err != nil {
		return fmt.Errorf("update artefact: %w", err)
	}
	return nil
}
