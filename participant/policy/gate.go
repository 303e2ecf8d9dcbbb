package policy

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/exchange"
)

// maxOffers bounds how many runs' offers are kept.
const maxOffers = 256

// Gate applies a policy to task after task. Admit may be called concurrently.
type Gate struct {
	Policy  Policy
	Trainer string // who trains here, for people; part of Facts
	Dir     string // the participant's folder
	Log     *zap.Logger

	mu sync.Mutex // of the files
}

// Admit tells under what terms a valid task may be done. The error is a
// *Refusal when the policy does not allow it. In any case what was offered and
// decided is on disk first; when it can not be written, that is the error.
func (g *Gate) Admit(t exchange.Task) (Terms, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	facts := FactsOf(t, g.Trainer)
	records := Records{Dir: g.Dir}
	if err := g.keep(records, facts, t, now); err != nil {
		return Terms{}, fmt.Errorf("keep the offer of run %s: %w", t.Run, err)
	}
	var approval *Approval
	if g.Policy.Manual {
		var err error
		if approval, err = records.Approval(t.Run); err != nil {
			return Terms{}, fmt.Errorf("read the approval of run %s: %w", t.Run, err)
		}
	}
	d := g.Policy.Judge(facts, min(t.Cohort, t.Minimum), approval, now)
	if err := g.note(t, facts, d, approval, now); err != nil {
		return Terms{}, err
	}
	return Terms{Samples: g.Policy.ShareSamples, Metrics: g.Policy.ShareMetrics, Until: d.Until}, nil
}

// Stopped notes that a training had not ended when its terms did, and returns
// the *Refusal that says so.
func (g *Gate) Stopped(t exchange.Task) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := Decision{Verdict: Hold, Rule: RuleHours, Reason: "stopped at closing time, before the training had ended"}
	return g.note(t, FactsOf(t, g.Trainer), d, nil, time.Now())
}

// note writes a decision down and returns the *Refusal that it means, or nil.
// The caller holds mu.
func (g *Gate) note(t exchange.Task, f Facts, d Decision, a *Approval, now time.Time) error {
	l := line{At: now, Run: t.Run, Round: t.Round, Task: t.ID, Verdict: d.Verdict, Rule: d.Rule, Reason: d.Reason, Facts: f.Digest()}
	if a != nil && d.Verdict == Allow {
		l.Approved = a.By
	}
	if err := appendLine(g.Dir, l); err != nil {
		return fmt.Errorf("note the decision on task %s: %w", t.ID, err)
	}
	g.say(l)
	if d.Verdict != Allow {
		return &Refusal{Rule: d.Rule, Reason: d.Reason, Later: d.Verdict == Hold}
	}
	return nil
}

func (g *Gate) say(l line) {
	fields := []zap.Field{zap.String("run", l.Run), zap.Int("round", l.Round), zap.String("task", l.Task)}
	if l.Verdict == Allow {
		if l.Approved != "" {
			fields = append(fields, zap.String("approved_by", l.Approved))
		}
		g.Log.Info("task allowed", fields...)
		return
	}
	g.Log.Warn("task not allowed", append(fields, zap.String("verdict", string(l.Verdict)), zap.String("rule", l.Rule), zap.String("reason", l.Reason))...)
}

// keep writes down what was offered, unless it is what was offered before.
func (g *Gate) keep(r Records, f Facts, t exchange.Task, now time.Time) error {
	digest := f.Digest()
	last, err := r.Offer(t.Run)
	if err == nil && last.Digest == digest && last.Facts.Plan.Optimizer.LR >= f.Plan.Optimizer.LR {
		return nil
	}
	if err := write(r.offers(), t.Run, Offer{At: now, Digest: digest, Facts: f, Task: t}); err != nil {
		return err
	}
	g.Log.Info("run offered", zap.String("run", t.Run), zap.String("facts", digest),
		zap.String("look", "accord participant inspect "+t.Run))
	return r.prune()
}

// prune forgets the oldest offers beyond maxOffers.
func (r Records) prune() error {
	entries, err := os.ReadDir(r.offers())
	if err != nil || len(entries) <= maxOffers {
		return err
	}
	type aged struct {
		name string
		at   time.Time
	}
	var offers []aged
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // gone meanwhile
		}
		offers = append(offers, aged{e.Name(), info.ModTime()})
	}
	slices.SortFunc(offers, func(a, b aged) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.name, b.name)) })
	var errs []error
	for _, o := range offers[min(maxOffers, len(offers)):] {
		errs = append(errs, os.Remove(r.offers()+string(os.PathSeparator)+o.name))
	}
	return errors.Join(errs...)
}
