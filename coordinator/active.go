package coordinator

import (
	"context"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/rng"
)

// active is the run whose effects are carried out. The loop owns it.
type active struct {
	run    string
	ctx    context.Context // of the run's effects
	cancel context.CancelFunc
	timer  *time.Timer // for round.Arm

	selection *round.Select // a cohort is wanted
	since     time.Time     // it is wanted
	told      int           // attending sites when last said that more are needed
}

// stop ends the run's effects that are under way.
func (a *active) stop() {
	if a.cancel != nil {
		a.cancel()
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	*a = active{}
}

// activate starts the first unfinished run unless one is active, from where
// its state says it is.
func (c *Coordinator) activate(ctx context.Context) {
	if c.active.run != "" {
		return
	}
	for _, name := range c.order {
		r := c.runs[name]
		if r.state.Phase.Final() {
			continue
		}
		runCtx, cancel := context.WithCancel(ctx)
		c.active = active{run: name, ctx: runCtx, cancel: cancel}
		for _, e := range round.Pending(r.state) {
			c.execute(r, input{run: name}, e)
		}
		// Who was asked before a restart and does not come back is lost.
		for _, t := range r.state.Tasks {
			if t.Status == round.Open {
				c.watchAbsence(t.Participant)
			}
		}
		return
	}
}

// attendance acts on a change in who attends.
func (c *Coordinator) attendance(in input) {
	r := c.runs[c.active.run]
	if r == nil {
		return
	}
	switch {
	case in.attached != "":
		for _, t := range r.state.Tasks {
			if t.Participant == in.attached && t.Exchange == r.state.Exchange && (t.Status == round.Open || t.Status == round.Lost) {
				c.offer(r, round.Offer{Round: r.state.Round, Model: r.state.Model, Deadline: r.state.Deadline, Task: t})
			}
		}
		c.trySelect()
	case in.gone != "":
		if _, ok := c.roster.get(in.gone); ok {
			return
		}
		for _, t := range r.state.Tasks {
			if t.Participant == in.gone && t.Status == round.Open && t.Exchange == r.state.Exchange {
				c.result(r.state.Run, round.ParticipantLost{Participant: in.gone, At: now()})
				return
			}
		}
	case in.look:
		c.trySelect()
	}
}

// trySelect selects a cohort once enough sites attend. The first round waits
// for MinSites as long as it takes; later ones go on without the missing
// after Options.Grace, when those who are there can make the round succeed.
func (c *Coordinator) trySelect() {
	sel := c.active.selection
	if sel == nil {
		return
	}
	names := c.roster.names()
	need := sel.MinSites
	if waited := time.Since(c.active.since); (sel.Round > 1 || sel.Attempt > 0) && waited >= c.o.Grace {
		need = max(1, sel.Minimum)
	}
	if len(names) < need {
		if c.active.told != len(names) {
			c.active.told = len(names)
			c.log.Info("waiting for sites", zap.String("run", c.active.run), zap.Int("round", sel.Round), zap.Int("attending", len(names)), zap.Int("needed", need))
		}
		return
	}
	d := c.runs[c.active.run].definition
	cohort := draw(d.Seed, c.active.run, *sel, names)
	c.active.selection = nil
	c.result(c.active.run, round.CohortSelected{Round: sel.Round, Attempt: sel.Attempt, Cohort: cohort, At: now()})
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

// watchAbsence looks after Options.Grace whether the participant is back.
func (c *Coordinator) watchAbsence(participant string) {
	c.after(c.o.Grace, input{gone: participant})
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
	c.work.Go(func() {
		_ = c.post(context.Background(), input{run: run, event: e}) // as above
	})
}

func now() time.Time { return time.Now().UTC() }
