package coordinator

import (
	"cmp"
	"slices"
	"time"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
)

// Role is what a member is in the federation.
type Role string

// The roles.
const (
	RoleParticipant Role = "participant"
	RoleCoordinator Role = "coordinator"
)

// Presence is whether a member is there.
type Presence string

// What a member may be.
const (
	Attending Presence = "attending" // its lease is renewed
	Away      Presence = "away"      // it may attend, and does not
	Invited   Presence = "invited"   // it has a token, and no key yet
	Expired   Presence = "expired"   // it had a token, and did not join in time
	Revoked   Presence = "revoked"   // it may attend no more
	Left      Presence = "left"      // likewise, by its own will
	Serving   Presence = "serving"   // it is the coordinator that tells this
	Unknown   Presence = "unknown"   // only gossip knows of it
)

// Member is a node of the federation, for people. What it says of itself is
// not proven by it.
type Member struct {
	Name   string    `json:"name"`
	Role   Role      `json:"role"`
	State  Presence  `json:"state"`
	Since  time.Time `json:"since,omitzero"`   // it has been in that state
	Gossip string    `json:"gossip,omitempty"` // what gossip makes of it; a hint
	Heard  time.Time `json:"heard,omitzero"`   // when its lease was last renewed

	From    string `json:"from,omitempty"`    // the address that it attends from
	Process string `json:"process,omitempty"` // what its process calls itself
	// Rival is another process that would attend as this participant, and may
	// not: this one has the place.
	Rival *Rival `json:"rival,omitempty"`

	Version string `json:"version,omitempty"` // of its binary
	Run     string `json:"run,omitempty"`     // that it works on
	Round   int    `json:"round,omitempty"`
	Load    int    `json:"load"` // tasks that it has in hand

	// ClockSeconds is by how much a participant's clock was ahead of the
	// coordinator's when it came; nil: not known.
	ClockSeconds *float64 `json:"clock_seconds,omitempty"`
	// Roots are the fingerprints of the roots that a participant trusts, Certified
	// is that of the root above its certificate; while it attends, and where it is
	// known. One of an institution's own authority has no Certified.
	Roots     []string `json:"roots,omitempty"`
	Certified string   `json:"certified,omitempty"`

	Capabilities exchange.Capabilities `json:"capabilities"`
}

func newMember(h exchange.Hello, p Pulse, state Presence, since time.Time) Member {
	return Member{
		Name: h.Name, Role: RoleParticipant, State: state, Since: since, Heard: p.Heard,
		Version: h.Version, Process: h.Process, Load: p.Load, Capabilities: h.Capabilities,
	}
}

// Members returns everybody who attends or did since the coordinator started,
// sorted, and what the attending work on.
func (c *Coordinator) Members() []Member {
	members := c.roster.members()
	working := c.assignments()
	for i, m := range members {
		if t, ok := working[m.Name]; ok {
			members[i].Run, members[i].Round = t.run, t.round
		}
	}
	SortMembers(members)
	return members
}

// SortMembers sorts by role and name.
func SortMembers(members []Member) {
	slices.SortFunc(members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Name, b.Name))
	})
}

// assignment is the round of a run that a participant has a task of.
type assignment struct {
	run   string
	round int
}

// assignments returns what each participant works on, by name: the newest run
// of those that wait for its answer.
func (c *Coordinator) assignments() map[string]assignment {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := map[string]assignment{}
	for _, r := range c.unfinished {
		s := r.state
		if s.Phase != round.Exchanging {
			continue
		}
		for t := range s.Tasks() {
			if t.Status == round.Open {
				all[t.Participant] = assignment{run: s.Run, round: s.Round}
			}
		}
	}
	return all
}
