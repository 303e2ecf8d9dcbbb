package rpc

import (
	"time"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/registry"
)

// trusting adds what the site says of its clock and of the roots that it trusts,
// while it attends.
func (a *admin) trusting(m *coordinator.Member) {
	if m.Role != coordinator.RoleParticipant || m.State != coordinator.Attending {
		return
	}
	t, ok := a.anchors.trustOf(m.Name)
	if !ok {
		return
	}
	m.Roots, m.Certified = t.roots, t.certified
	if t.ahead != nil {
		seconds := t.ahead.Seconds()
		m.ClockSeconds = &seconds
	}
}

// members are those that the coordinator has seen, and the sites that belong to
// the federation or did, as the registry has them.
func (a *admin) members() []coordinator.Member {
	members := a.runs.Members()
	if a.options.Security == nil {
		return members
	}
	seen := make(map[string]int, len(members))
	for i, m := range members {
		if m.Role == coordinator.RoleParticipant {
			seen[m.Name] = i
		}
	}
	for _, s := range a.options.Security.Registry.Sites() {
		i, ok := seen[s.Name]
		if !ok {
			i = len(members)
			members = append(members, coordinator.Member{Name: s.Name, Role: coordinator.RoleParticipant, State: coordinator.Away})
		}
		if state := standing(s, time.Now()); state != "" && members[i].State != coordinator.Attending {
			members[i].State, members[i].Since = state, s.Since
		}
	}
	a.anchors.refresh() // whoever asks after a change is told of it
	for i := range members {
		a.trusting(&members[i])
	}
	coordinator.SortMembers(members)
	return members
}

// standing is what a site is that may not attend; "" for one that may.
func standing(s registry.Site, now time.Time) coordinator.Presence {
	switch s.Status {
	case registry.Invited:
		if now.After(s.Expires) {
			return coordinator.Expired
		}
		return coordinator.Invited
	case registry.Revoked:
		return coordinator.Revoked
	case registry.Left:
		return coordinator.Left
	default:
		return ""
	}
}
