package coordinator

import (
	"slices"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator/round"
)

// references counts how often the states of all runs refer to each artefact, so
// that what no state needs is found without a look at any other run.
type references map[string]int

// add counts one more reference to each digest.
func (r references) add(digests []string) {
	for _, digest := range digests {
		r[digest]++
	}
}

// remove takes back what add has counted.
func (r references) remove(digests []string) {
	for _, digest := range digests {
		if r[digest]--; r[digest] <= 0 {
			delete(r, digest)
		}
	}
}

// needed lists the artefacts that s refers to.
func (c *Coordinator) needed(s round.State) []string { return append(c.models(s), updates(s)...) }

// models lists the global models that s refers to. What a Publisher has got lies
// elsewhere, so that of a run that has ended nothing is needed here.
func (c *Coordinator) models(s round.State) []string {
	var digests []string
	if s.Phase != "" && !s.Phase.Final() {
		digests = append(digests, s.Model)
	}
	if s.Release != nil {
		digests = append(digests, s.Release.Model, s.Release.Parent)
		for _, t := range s.Release.Updates { // until it is out, it can be made of them again
			digests = append(digests, t.Digest)
		}
	}
	if best, ok := s.Candidate(); ok && (c.o.KeepBest || c.o.Publisher == nil) {
		digests = append(digests, best.Model)
	}
	if c.o.KeepVersions {
		for _, v := range s.Published.All() {
			digests = append(digests, v.Model)
		}
	}
	return digests
}

// updates lists the updates that s refers to.
func updates(s round.State) (digests []string) {
	if s.Phase.Final() {
		return nil
	}
	for t := range s.Tasks() {
		if t.Digest != "" {
			digests = append(digests, t.Digest)
		}
	}
	return digests
}

// refer counts what a step has changed in the references of its run, and
// removes what nothing refers to since then.
func (c *Coordinator) refer(before round.State, s stepped) {
	c.references.add(c.models(s.state))
	let := c.models(before)
	if len(before.Cohort()) > 0 && (len(s.state.Cohort()) == 0 || s.state.Phase.Final()) {
		let = append(let, updates(before)...) // with its attempt
	} else if e, ok := s.in.event.(round.ArtefactLost); ok {
		for _, digest := range updates(before) {
			if slices.Contains(e.Artefacts, digest) { // it was asked for again
				let = append(let, digest)
			}
		}
	}
	c.references.remove(let)
	if e, ok := s.in.event.(round.Answered); ok {
		t, _ := s.state.Task(e.Task)
		if old, _ := before.Task(e.Task); t.Digest != old.Digest && !s.state.Phase.Final() {
			c.references.add([]string{t.Digest})
		}
		let = append(let, e.Digest) // unless it was accepted
	}
	c.discard(s.in.run, let...)
}

// discard removes those of the digests that no run needs now.
func (c *Coordinator) discard(run string, digests ...string) {
	for _, digest := range digests {
		if digest == "" || c.references[digest] > 0 {
			continue
		}
		if err := c.pins.remove(digest, c.o.Spool.Remove); err != nil {
			c.log.Warn("artefact not removed", zap.String("run", run), zap.Error(err))
		}
	}
}
