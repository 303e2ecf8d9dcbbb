package round

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxNamed is how many absent sites are named.
const maxNamed = 3

// absent are the sites that gave no update to an attempt although they were
// asked, and why. It is a value that is never changed.
type absent struct {
	round, attempt int
	named          []absence // the first of them
	others         int
}

type absence struct{ participant, reason string }

// of is a for an attempt: none are absent yet from another one.
func (a absent) of(round, attempt int) absent {
	if a.round != round || a.attempt != attempt {
		return absent{round: round, attempt: attempt}
	}
	return a
}

func (a absent) add(t Task) absent {
	if len(a.named) == maxNamed {
		a.others++
	} else {
		a.named = append(slices.Clone(a.named), absence{t.Participant, t.Reason})
	}
	return a
}

// remove takes back that a participant is absent, which was added before.
func (a absent) remove(participant string) absent {
	i := slices.IndexFunc(a.named, func(b absence) bool { return b.participant == participant })
	if i < 0 {
		a.others--
	} else {
		a.named = slices.Delete(slices.Clone(a.named), i, i+1)
	}
	return a
}

// missed notes what the next status of a task means for who is absent.
func (s *State) missed(next Task) {
	a := s.absent.of(s.Round, s.Attempt)
	if last, _ := s.Task(next.ID); last.Status == Lost {
		a = a.remove(next.Participant)
	}
	if next.Status != Accepted {
		a = a.add(next)
	}
	if next.Status != Accepted || a.round == s.absent.round && a.attempt == s.absent.attempt {
		s.absent = a
	}
}

// Absent says which sites have given no update to the round under way, or, as
// long as nobody is absent from it, to the window that closed last, and why; ""
// when there are none.
func (s State) Absent() string {
	if len(s.absent.named)+s.absent.others == 0 {
		return ""
	}
	var names []string
	for _, b := range s.absent.named {
		names = append(names, fmt.Sprintf("%s (%s)", b.participant, b.reason))
	}
	if s.absent.others > 0 {
		names = append(names, fmt.Sprintf("%d others", s.absent.others))
	}
	return fmt.Sprintf("round %d goes on without %s", s.absent.round, strings.Join(names, ", "))
}

// Remark is what a person should know of a run beside its phase: why the last
// attempt failed or else who is absent, and what the next round waits for; "":
// nothing.
func (s State) Remark() string {
	remark := cmp.Or(s.Reason, s.Absent())
	if s.Phase != Selecting {
		return remark
	}
	if remark != "" {
		remark += "; "
	}
	return remark + s.wanted()
}

// wanted says how many sites the next round waits for.
func (s State) wanted() string {
	sel := s.selection()
	text := fmt.Sprintf("round %d begins once %s", s.Round, attending(sel.MinSites))
	if (s.Round > 1 || s.Attempt > 0) && sel.Least < sel.MinSites {
		text += fmt.Sprintf(", or %d after a pause", sel.Least)
	}
	return text
}

func attending(sites int) string {
	if sites == 1 {
		return "a site attends"
	}
	return fmt.Sprintf("%d sites attend", sites)
}
