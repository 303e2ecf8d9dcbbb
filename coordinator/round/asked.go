package round

import "slices"

// asked is whom an exchange has asked, and what became of it. It is a value that
// is never changed: set returns another, which shares nearly all with this one.
type asked struct {
	prefix, suffix string // of the tasks' ids, around the participant
	tasks          tree[string, *Task]
	seats          int                // tasks that are not replacements
	counts         [len(statuses)]int // tasks, by their status's place in statuses
	// substitutes are the participants that were asked to take a seat, by seat.
	substitutes tree[string, []string]
}

// statuses lists all of them.
var statuses = [...]Status{Open, Accepted, Rejected, Declined, Lost, Withdrawn}

func (a asked) count(s Status) int { return a.counts[slices.Index(statuses[:], s)] }

// set returns a with t in place of the task that its participant has, if any.
func (a asked) set(t Task) asked {
	if old, ok := a.tasks.get(t.Participant); ok {
		a.counts[slices.Index(statuses[:], old.Status)]--
	} else if t.Seat == "" {
		a.seats++
	} else {
		others, _ := a.substitutes.get(t.Seat)
		a.substitutes = a.substitutes.set(t.Seat, append(slices.Clone(others), t.Participant))
	}
	a.counts[slices.Index(statuses[:], t.Status)]++
	a.tasks = a.tasks.set(t.Participant, &t)
	return a
}

// task is one that is open, of participant's own seat, in the exchange with index
// x.
func (a asked) task(x int, participant string) Task {
	return Task{ID: a.prefix + participant + a.suffix, Exchange: x, Participant: participant, Status: Open}
}

// with returns the tasks of a status, sorted by participant.
func (a asked) with(s Status) []Task {
	if a.count(s) == 0 {
		return nil
	}
	tasks := make([]Task, 0, a.count(s))
	for _, t := range a.tasks.all() {
		if t.Status == s {
			tasks = append(tasks, *t)
		}
	}
	return tasks
}

// holders returns the tasks of a seat, sorted by participant.
func (a asked) holders(seat string) []Task {
	others, _ := a.substitutes.get(seat)
	names := append([]string{seat}, others...)
	slices.Sort(names)
	var tasks []Task
	for _, name := range names {
		if t, ok := a.tasks.get(name); ok && t.seat() == seat {
			tasks = append(tasks, *t)
		}
	}
	return tasks
}
