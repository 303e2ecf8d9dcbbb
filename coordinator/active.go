package coordinator

import (
	"context"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/rng"
)

// active is what a run has while its effects are carried out. The loop owns it.
type active struct {
	ctx    context.Context // of the run's effects
	cancel context.CancelFunc
	timer  *time.Timer // for round.Arm

	selection *round.Select // a cohort is wanted
	since     time.Time     // it is wanted
	told      int           // attending sites when last said that more are needed

	spare spare
}

// spare are the sites that attend and were not asked in an attempt. It saves
// looking for them again for each vacant seat.
type spare struct {
	round, attempt int
	attending      []string // of whom it was made
	asked          int      // how many had been
	names          []string // sorted
}

// deactivate ends the run's effects that are under way, if any.
func (r *run) deactivate() {
	if r.active == nil {
		return
	}
	r.active.cancel()
	if r.active.timer != nil {
		r.active.timer.Stop()
	}
	r.active = nil
}

// activate starts unfinished runs in order of submission until MaxRuns are
// active, each from where its state says it is. While the journal is contested
// none is.
func (c *Coordinator) activate(ctx context.Context) {
	if c.contested.Load() {
		return
	}
	for _, r := range c.unfinished[:min(len(c.unfinished), c.o.MaxRuns)] {
		if r.active != nil {
			continue
		}
		runCtx, cancel := context.WithCancel(ctx)
		r.active = &active{ctx: runCtx, cancel: cancel}
		// Who was asked before a restart and does not come back is lost; he has
		// longer to do so than who goes away in mid-round.
		for t := range r.state.Tasks() {
			if t.Status == round.Open {
				c.watchAbsence(t.Participant, c.o.Grace)
			}
		}
		for _, e := range round.Pending(r.state) {
			c.execute(r, input{run: r.state.Run}, e)
		}
	}
}

// activeRuns returns the runs whose effects are carried out, in order of
// submission.
func (c *Coordinator) activeRuns() []*run {
	for i, r := range c.unfinished {
		if r.active == nil {
			return c.unfinished[:i]
		}
	}
	return c.unfinished
}

// attendance acts on a change in who attends.
func (c *Coordinator) attendance(in input) {
	switch {
	case in.attached != "":
		for _, r := range c.activeRuns() {
			c.offerAgain(r, in.attached)
		}
	case in.gone != "":
		c.miss(in)
	}
}

// offerAgain hands a participant that has just attached what it was asked.
func (c *Coordinator) offerAgain(r *run, participant string) {
	if t, ok := r.state.TaskOf(participant); ok && awaited(t) {
		c.offer(r, r.state.OfferOf(t))
	}
}

// miss gives up on a participant that has been away for too long. When nobody
// is left, the fault is likely to be on this side: then all have Grace to come
// back, and no round fails for a short cut of the coordinator's own line.
func (c *Coordinator) miss(in input) {
	c.roster.forget(in.gone)
	switch _, back := c.roster.get(in.gone); {
	case back:
		return
	case c.roster.size() == 0 && !in.deserted && c.o.Grace > c.o.Away:
		c.roster.watch(in.gone, c.after(c.o.Grace-c.o.Away, input{gone: in.gone, deserted: true}))
		return
	}
	for _, r := range c.activeRuns() {
		if t, ok := r.state.TaskOf(in.gone); ok && t.Status == round.Open {
			c.result(r.state.Run, round.ParticipantLost{Participant: in.gone, At: now()})
		}
	}
}

// trySelect selects the run's cohort, if one is wanted, once enough sites
// attend. The first round waits for MinSites as long as it takes; later ones go
// on once those who are missing have been so for Options.Grace, when those who
// are there can make the round succeed.
func (c *Coordinator) trySelect(r *run) {
	sel := r.active.selection
	if sel == nil {
		return
	}
	names := c.roster.names()
	need, attending := sel.MinSites, len(names)
	if (sel.Round > 1 || sel.Attempt > 0) && time.Since(c.missedSince(r)) >= c.o.Grace {
		need = sel.Least
	}
	if attending < need {
		if r.active.told != attending {
			r.active.told = attending
			c.log.Info("waiting for sites", zap.String("run", r.state.Run), zap.Int("round", sel.Round), zap.Int("attending", attending), zap.Int("needed", need))
		}
		return
	}
	r.active.selection = nil
	c.result(r.state.Run, c.cohort(r, *sel, names))
}

// cohort draws a run's cohort from those who attend.
func (c *Coordinator) cohort(r *run, sel round.Select, names []string) round.CohortSelected {
	return round.CohortSelected{
		Round: sel.Round, Attempt: sel.Attempt, Cohort: draw(r.definition.Seed, r.state.Run, sel, names), Nonce: c.o.Nonce(), At: now(),
	}
}

// missedSince is when the run began to wait for sites, or, if that is earlier,
// when the last site left: a site that is gone for good is waited for once.
func (c *Coordinator) missedSince(r *run) time.Time {
	if left := c.roster.lastLeft(); left.Before(r.active.since) {
		return left
	}
	return r.active.since
}

// draw selects max(Fraction·K, Minimum, 1) of the K names without
// replacement, keyed by (seed, run, round, attempt), so that a round tried
// again does not draw the same dead site.
func draw(seed uint64, run string, sel round.Select, names []string) []string {
	k := int(sel.Fraction*float64(len(names)) + 0.5)
	k = min(max(k, sel.Minimum, 1), len(names))
	r := rng.New(seed, "select", run, strconv.Itoa(sel.Round), strconv.Itoa(sel.Attempt))
	cohort := make([]string, 0, k)
	for _, i := range r.Perm(len(names))[:k] {
		cohort = append(cohort, names[i])
	}
	return cohort
}

// replace draws who takes a vacant seat from those who attend and were not
// asked, keyed by (seed, run, round, attempt) and how many were asked.
func (c *Coordinator) replace(r *run, e round.Replace) {
	free := r.active.spares(e, c.roster.names())
	done := round.Replaced{Round: e.Round, Attempt: e.Attempt, Exchange: e.Exchange, Seat: e.Seat, At: now()}
	if len(free) > 0 {
		random := rng.New(r.definition.Seed, "replace", r.state.Run, strconv.Itoa(e.Round), strconv.Itoa(e.Attempt), strconv.Itoa(len(e.Asked)))
		i := random.IntN(len(free))
		done.Participant = free[i]
		r.active.spare.names = slices.Delete(free, i, i+1)
		r.active.spare.asked++
	}
	c.result(r.state.Run, done)
}

// spares returns those of attending that e may draw from.
func (a *active) spares(e round.Replace, attending []string) []string {
	same := len(attending) > 0 && len(attending) == len(a.spare.attending) && &attending[0] == &a.spare.attending[0]
	if s := a.spare; same && s.round == e.Round && s.attempt == e.Attempt && s.asked == len(e.Asked) {
		return s.names
	}
	a.spare = spare{round: e.Round, attempt: e.Attempt, attending: attending, asked: len(e.Asked)}
	for _, name := range attending {
		if _, asked := slices.BinarySearch(e.Asked, name); !asked {
			a.spare.names = append(a.spare.names, name)
		}
	}
	return a.spare.names
}

// watchAbsence looks after d whether the participant is back, unless that is
// about to be looked at already.
func (c *Coordinator) watchAbsence(participant string, d time.Duration) {
	if _, ok := c.roster.get(participant); !ok && !c.roster.watched(participant) {
		c.roster.watch(participant, c.after(c.hints.patience(participant, d), input{gone: participant}))
	}
}

// after posts in once d has passed, unless the coordinator stops before.
func (c *Coordinator) after(d time.Duration, in input) *time.Timer {
	return time.AfterFunc(d, func() {
		_ = c.post(context.Background(), in) // fails only when nobody listens any more
	})
}

// result posts what became of an effect. The loop itself calls it, so it must
// not wait for the loop.
func (c *Coordinator) result(run string, e round.Event) {
	r := c.runs[run]
	r.effects.Add(1)
	c.work.Go(func() {
		defer r.effects.Done()
		_ = c.post(context.Background(), input{run: run, event: e}) // as above
	})
}

func now() time.Time { return time.Now().UTC() }
