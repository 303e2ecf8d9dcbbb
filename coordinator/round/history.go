package round

// History is the published versions of a run, in order. It is a value that is
// never changed: adding a version gives another history, which shares all of
// the first. So a version costs the same however many came before it, two
// states may grow from one, and a reader in another goroutine needs no copy.
type History struct{ last *edition }

// edition is a version in a history.
type edition struct {
	Version
	number int      // from 1
	before *edition // nil: this is the first
	// jump is an earlier edition, at a distance that lets any be found in a
	// logarithmic number of steps (Myers 1983, An applicative random-access stack).
	jump *edition
	// lead is the earliest of those with the best validation accuracy so far,
	// this one included; nil: none has been validated.
	lead *edition
}

// HistoryOf returns the history of the versions, the oldest first.
func HistoryOf(versions ...Version) History {
	var h History
	for _, v := range versions {
		h = h.add(v)
	}
	return h
}

// add returns the history with one version more.
func (h History) add(v Version) History {
	e := &edition{Version: v, number: h.Len() + 1, before: h.last, jump: h.last}
	if p := h.last; p != nil && p.number-p.jump.count() == p.jump.count()-p.jump.jumped().count() {
		e.jump = p.jump.jumped()
	}
	if e.lead = h.lead(); h.leads(v) && v.Validation != nil {
		e.lead = e
	}
	return History{last: e}
}

// count is how many versions there are up to e.
func (e *edition) count() int {
	if e == nil {
		return 0
	}
	return e.number
}

func (e *edition) jumped() *edition {
	if e == nil {
		return nil
	}
	return e.jump
}

func (h History) lead() *edition {
	if h.last == nil {
		return nil
	}
	return h.last.lead
}

// Len is how many versions there are.
func (h History) Len() int { return h.last.count() }

// Newest is the last version; false: there is none.
func (h History) Newest() (Version, bool) {
	if h.last == nil {
		return Version{}, false
	}
	return h.last.Version, true
}

// Since returns the versions that follow the first n, in order, at most limit
// of them. The caller owns the slice. n and limit must not be negative.
func (h History) Since(n, limit int) []Version {
	count := min(limit, max(0, h.Len()-n))
	if count == 0 {
		return nil
	}
	versions := make([]Version, count)
	e := h.at(n + count)
	for i := range versions {
		versions[count-1-i] = e.Version
		e = e.before
	}
	return versions
}

// All returns every version, in order. The caller owns the slice.
func (h History) All() []Version { return h.Since(0, h.Len()) }

// at finds the edition of a number, which must exist.
func (h History) at(number int) *edition {
	e := h.last
	for e.number > number {
		if e.jump.count() >= number {
			e = e.jump
		} else {
			e = e.before
		}
	}
	return e
}

// Candidate is the published version to hand out: the best by validation
// accuracy, the earliest of equals, or without a validation set the last.
// False before anything was published.
func (s State) Candidate() (Version, bool) {
	newest, ok := s.Published.Newest()
	if lead := s.Published.lead(); newest.Validation != nil {
		return lead.Version, true
	}
	return newest, ok
}

// Leads reports whether v would be the version to hand out once it is
// published: see Candidate.
func (s State) Leads(v Version) bool { return s.Published.leads(v) }

func (h History) leads(v Version) bool {
	lead := h.lead()
	return v.Validation == nil || lead == nil || *v.Validation > *lead.Validation
}
