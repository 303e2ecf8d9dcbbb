package coordinator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/internal/fault"
)

// ErrReplaced is why a link ends whose process has attached another.
var ErrReplaced = errors.New("another link of this process has taken its place")

// Rival is a process that would attend as a participant whose place another
// process has.
type Rival struct {
	Process string    `json:"process,omitempty"` // "" from one that does not know of process ids
	From    string    `json:"from"`              // its address
	First   time.Time `json:"first"`             // when it asked first
	Last    time.Time `json:"last"`              // and last
}

// OccupiedError is why a process cannot attend now: another one has the place.
type OccupiedError struct {
	Name  string // of the participant
	From  string // where the other attends from
	Since time.Time
}

func (e *OccupiedError) Error() string {
	return fmt.Sprintf("another process attends as %s, from %s since %s: stop the one that should not, "+
		"or have an admin give this one its place (accord members release %s)", e.Name, e.From, e.Since.UTC().Format(time.DateTime), e.Name)
}

// ReleasedError is why a process cannot attend for a while: an admin has given
// its place away.
type ReleasedError struct {
	Name  string // of the participant
	By    string // the admin; "" without certificates
	Until time.Time
}

func (e *ReleasedError) Error() string {
	by := ""
	if e.By != "" {
		by = " (" + e.By + ")"
	}
	return fmt.Sprintf("an admin%s has given the place of %s to another process; until %s this one cannot take it again",
		by, e.Name, e.Until.UTC().Format(time.DateTime))
}

// ReleasedFor is how long a process whose place was given away must not come back:
// longer than another that wants it waits between two tries.
const ReleasedFor = 10 * time.Minute

// rivalStays is for how long a process that was refused is shown. It asks again
// sooner, if it is still there.
const rivalStays = 10 * time.Minute

// places knows which processes want the place of a participant. The roster
// guards it.
type places struct {
	from     map[string]string // where who attends does so from
	rivals   map[string]Rival  // of those, the last
	released map[string]release
}

// release is a process that must not come back before its time is over.
type release struct {
	process string // "": its id is not known, and it may be that of others, too
	host    string // nor may any from there, if it is not "": a restart would be another process
	why     ReleasedError
}

// bars reports whether a process from an address must not have the place now.
func (r release) bars(process, from string, now time.Time) bool {
	return now.Before(r.why.Until) && (process != "" && process == r.process || r.host != "" && r.host == hostOf(from))
}

// hostOf is an address without its port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

func newPlaces() places {
	return places{from: map[string]string{}, rivals: map[string]Rival{}, released: map[string]release{}}
}

// refuse returns why l cannot attend from an address, for holder has its place,
// or nobody has when it is nil. The roster's mu is held.
func (p *places) refuse(l, holder Link, from string, since time.Time) error {
	name, process, now := l.Name(), l.Hello().Process, now()
	if r, ok := p.released[name]; ok && r.bars(process, from, now) {
		return &r.why
	}
	if holder == nil || holder.Hello().Process == process {
		return nil
	}
	rival := p.rivals[name]
	if rival.Process != process || rival.From == "" || now.Sub(rival.Last) > rivalStays {
		rival = Rival{Process: process, First: now}
	}
	rival.From, rival.Last = from, now
	p.rivals[name] = rival
	return &OccupiedError{Name: name, From: p.from[name], Since: since}
}

// took notes that somebody has the place of a name now. The roster's mu is held.
func (p *places) took(l Link, from string) {
	p.from[l.Name()] = from
	if p.rivals[l.Name()].Process == l.Hello().Process {
		delete(p.rivals, l.Name())
	}
}

// left notes that nobody has it. The roster's mu is held.
func (p *places) left(name string) {
	delete(p.from, name)
	delete(p.rivals, name)
}

// rival is who else wants the place of a name, lately. The roster's mu is held.
func (p *places) rival(name string) *Rival {
	r, ok := p.rivals[name]
	if !ok || now().Sub(r.Last) > rivalStays {
		return nil
	}
	return &r
}

// give keeps a process from coming back. The roster's mu is held.
func (p *places) give(l Link, by string) *ReleasedError {
	now := now()
	for name, r := range p.released {
		if !now.Before(r.why.Until) {
			delete(p.released, name)
		}
	}
	why := ReleasedError{Name: l.Name(), By: by, Until: now.Add(ReleasedFor)}
	r := release{process: l.Hello().Process, why: why}
	// Processes without an id replace one another, so none of them is known as a rival.
	if rival := p.rival(l.Name()); rival == nil && r.process == "" || rival != nil && hostOf(rival.From) != hostOf(p.from[l.Name()]) {
		r.host = hostOf(p.from[l.Name()])
	}
	p.released[l.Name()] = r
	return &why
}

// Admit is Attach for a link from an address, unless another process has its
// participant's place, which is an *OccupiedError, or an admin has given the
// place of this one away, a *ReleasedError. The process
// that attends keeps its place while its lease lives, and replaces its own link.
func (c *Coordinator) Admit(l Link, from string) (detach func(), err error) {
	c.examine(l)
	if err := c.roster.admit(l, from); err != nil {
		return nil, err
	}
	return c.attached(l), nil
}

// Release ends the attendance of a participant and keeps its process from coming
// back for ReleasedFor, so that another one gets the place. by is who asked. A
// participant that does not attend is an error of class fault.Input.
func (c *Coordinator) Release(_ context.Context, name, by string) (Rival, error) {
	l, from, why := c.roster.release(name, by)
	if l == nil {
		return Rival{}, fault.Inputf("%.80q does not attend: there is no place to give away", name)
	}
	c.log.Warn("place given away", zap.String("participant", name), zap.String("from", from),
		zap.String("process", l.Hello().Process), zap.String("by", by), zap.Time("until", why.Until))
	l.HangUp(why)
	c.watchAbsence(name, c.o.Away)
	return Rival{Process: l.Hello().Process, From: from, Last: now()}, nil
}
