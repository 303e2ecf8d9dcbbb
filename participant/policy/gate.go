package policy

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
)

// The bounds on the runs' offers that are kept; the last one is kept whatever
// its size.
const (
	maxOffers     = 256
	maxOfferBytes = 64 << 20
)

// Gate applies a policy to task after task. Its methods may be called
// concurrently.
type Gate struct {
	Policy  Policy
	Trainer string    // who trains here, for people; part of Facts
	Dir     string    // the participant's folder
	Disk    disk.Disk // what its files are written through; nil: the operating system's
	Log     *zap.Logger

	mu   sync.Mutex // of the files
	life string     // the coordinator's incarnation, until it is noted; "": it is
}

func (g *Gate) records() Records { return Records{Dir: g.Dir, Disk: g.Disk} }

// Admit tells under what terms a valid task may be done. The error is a
// *Refusal when the policy does not allow it. In any case what was offered and
// decided is on disk first; when it cannot be written, that is the error.
//
// For one run and round one question is admitted, however often: a task with
// another model or plan than the first is not allowed.
func (g *Gate) Admit(t exchange.Task) (Terms, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if err := g.noteLife(); err != nil {
		return Terms{}, err
	}
	facts := FactsOf(t, g.Trainer)
	records := g.records()
	if err := g.keep(records, facts, t, now); err != nil {
		return Terms{}, fmt.Errorf("keep the offer of run %s: %w", t.Run, err)
	}
	approval, err := g.approval(records, t.Run)
	if err != nil {
		return Terms{}, err
	}
	d := g.Policy.Judge(facts, min(t.Cohort, t.Minimum), approval, now)
	if d.Verdict == Allow {
		if d, err = g.once(records, t, facts, d); err != nil {
			return Terms{}, err
		}
	}
	if err := g.note(t, facts, d, approval, now); err != nil {
		return Terms{}, err
	}
	return Terms{Samples: g.Policy.ShareSamples, Metrics: g.Policy.ShareMetrics, Until: d.Until}, nil
}

// approval returns that of a run, where the policy asks for one.
func (g *Gate) approval(r Records, run string) (*Approval, error) {
	if !g.Policy.Manual {
		return nil, nil
	}
	a, err := r.Approval(run)
	if errors.Is(err, fault.Input) {
		g.Log.Error("an approval cannot be read, and does not count", zap.String("run", run), zap.Error(err))
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the approval of run %s: %w", run, err)
	}
	return a, nil
}

// once returns d, which allows the task, or the decision that the task's round
// was answered for another question. It writes a fresh question down.
func (g *Gate) once(r Records, t exchange.Task, f Facts, d Decision) (Decision, error) {
	l, q, err := history(r, t, f)
	if err != nil {
		return d, err
	}
	fresh, reason := l.judge(q, g.Policy.MaxRepeats)
	if reason != "" {
		return Decision{Verdict: Decline, Rule: RuleMaxRepeats, Reason: reason}, nil
	}
	if !fresh {
		return d, nil
	}
	if err := r.ask(t.Run, l, q); err != nil {
		return d, fmt.Errorf("note what round %d of run %s asks: %w", t.Round, t.Run, err)
	}
	return d, nil
}

// history returns what a task with facts f asks, and what its run has asked
// before.
func history(r Records, t exchange.Task, f Facts) (ledger, asked, error) {
	l, err := r.ledger(t.Run)
	if err != nil {
		return l, asked{}, fmt.Errorf("read what run %s has asked: %w", t.Run, err)
	}
	lives, err := r.lives()
	if err != nil && !errors.Is(err, fault.Input) { // damaged: no restore is known of
		return l, asked{}, fmt.Errorf("read what run %s has asked: %w", t.Run, err)
	}
	return l, asked{round: t.Round, life: lifeOf(lives.Restores, t.Redone), digest: questionOf(t, f.Contract)}, nil
}

// Judge returns what Admit would decide about a valid task now, and writes
// nothing.
func (g *Gate) Judge(t exchange.Task) (Decision, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	approval, err := g.approval(g.records(), t.Run)
	if err != nil {
		return Decision{}, err
	}
	facts := FactsOf(t, g.Trainer)
	d := g.Policy.Judge(facts, min(t.Cohort, t.Minimum), approval, time.Now())
	if d.Verdict != Allow {
		return d, nil
	}
	l, q, err := history(g.records(), t, facts)
	if err != nil {
		return Decision{}, err
	}
	if _, reason := l.judge(q, g.Policy.MaxRepeats); reason != "" {
		d = Decision{Verdict: Decline, Rule: RuleMaxRepeats, Reason: reason}
	}
	return d, nil
}

// Forked notes the incarnation of the coordinator's journal, which is another
// one after each restore of the coordinator. Rounds that were answered before
// may then be asked once more, each at most MaxRepeats times in all. The first
// incarnation that a site is told, and one that it knows, change nothing. What an
// error has kept from the disk the next Admit writes first.
func (g *Gate) Forked(incarnation string) error {
	if incarnation == "" {
		return nil // a coordinator that has none
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.life = incarnation
	return g.noteLife()
}

// noteLife notes the incarnation that is not noted yet. The caller holds mu.
func (g *Gate) noteLife() error {
	if g.life == "" {
		return nil
	}
	if _, err := g.records().lives(); errors.Is(err, fault.Input) {
		g.Log.Error("what this site knew of restores of the coordinator cannot be read, and is forgotten", zap.Error(err))
	}
	another, err := g.records().reborn(g.life)
	if err != nil {
		return fmt.Errorf("note the coordinator's incarnation: %w", err)
	}
	g.life = ""
	if another {
		g.Log.Warn("the coordinator was restored: rounds may be asked once more", zap.Int("max_repeats", g.Policy.MaxRepeats))
	}
	return nil
}

// Stopped notes that a task was admitted and not done for the reason r, and
// returns r.
func (g *Gate) Stopped(t exchange.Task, r Refusal) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := Decision{Verdict: Decline, Rule: r.Rule, Reason: r.Reason}
	if r.Later {
		d.Verdict = Hold
	}
	return g.note(t, FactsOf(t, g.Trainer), d, nil, time.Now())
}

// note writes a decision down and returns the *Refusal that it means, or nil.
// The caller holds mu.
func (g *Gate) note(t exchange.Task, f Facts, d Decision, a *Approval, now time.Time) error {
	n := Noted{
		At: now, Run: t.Run, Round: t.Round, Task: t.ID, Verdict: d.Verdict, Rule: d.Rule, Reason: d.Reason,
		Facts: f.Digest(),
	}
	if a != nil && d.Verdict == Allow {
		n.Approved = a.By
	}
	if err := g.records().note(n); err != nil {
		return fmt.Errorf("note the decision on task %s: %w", t.ID, err)
	}
	g.say(n)
	if d.Verdict != Allow {
		return &Refusal{Rule: d.Rule, Reason: d.Reason, Later: d.Verdict == Hold}
	}
	return nil
}

func (g *Gate) say(n Noted) {
	fields := []zap.Field{zap.String("run", n.Run), zap.Int("round", n.Round), zap.String("task", n.Task)}
	if n.Verdict == Allow {
		if n.Approved != "" {
			fields = append(fields, zap.String("approved_by", n.Approved))
		}
		g.Log.Info("task allowed", fields...)
		return
	}
	fields = append(fields, zap.String("verdict", string(n.Verdict)), zap.String("rule", n.Rule), zap.String("reason", n.Reason))
	if n.Rule == RuleMaxRepeats {
		fields = append(fields, zap.String("if_the_coordinator_began_anew", "accord participant approve "+n.Run+" --again"))
	}
	g.Log.Warn("task not allowed", fields...)
}

// keep writes down what was offered, unless it is what was offered before.
func (g *Gate) keep(r Records, f Facts, t exchange.Task, now time.Time) error {
	digest := f.Digest()
	last, err := r.Offer(t.Run)
	if err == nil && last.Digest == digest && last.Facts.Plan.Optimizer.LR >= f.Plan.Optimizer.LR {
		return nil
	}
	if err := r.write(r.offers(), t.Run, Offer{At: now, Digest: digest, Facts: f, Task: t}); err != nil {
		return err
	}
	g.Log.Info("run offered", zap.String("run", t.Run), zap.String("facts", f.Shown()),
		zap.String("look", "accord participant inspect "+t.Run))
	return errors.Join(r.prune(), r.pruneLedgers())
}

// prune forgets the oldest offers beyond maxOffers and maxOfferBytes.
func (r Records) prune() error {
	entries, err := os.ReadDir(r.offers())
	if err != nil {
		return err
	}
	type aged struct {
		name string
		at   time.Time
		size int64
	}
	var offers []aged
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // gone meanwhile
		}
		offers = append(offers, aged{e.Name(), info.ModTime(), info.Size()})
	}
	slices.SortFunc(offers, func(a, b aged) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.name, b.name)) })
	var errs []error
	var total int64
	for i, o := range offers {
		if total += o.size; i > 0 && (i >= maxOffers || total > maxOfferBytes) {
			errs = append(errs, r.disk().Remove(filepath.Join(r.offers(), o.name)))
		}
	}
	return errors.Join(errs...)
}
