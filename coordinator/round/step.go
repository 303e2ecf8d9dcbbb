package round

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// TransitionError reports an event that the state does not allow: the result
// of an effect that was overtaken, or a journal that is not this run's.
type TransitionError struct {
	Event string
	Phase Phase
	Why   string
}

func (e *TransitionError) Error() string {
	phase := e.Phase
	if phase == "" {
		phase = "not submitted"
	}
	return fmt.Sprintf("round: event %s in phase %s: %s", e.Event, phase, e.Why)
}

// allowed is the table of legal transitions: the phases in which each event
// means something.
var allowed = map[string][]Phase{
	Submitted{}.kind():       {""},
	CohortSelected{}.kind():  {Selecting},
	Answered{}.kind():        {Selecting, Exchanging, Aggregating, Evaluating, Publishing, Retrying, Completed, Failed, Stopped, Diverged},
	ParticipantLost{}.kind(): {Exchanging},
	Replaced{}.kind():        {Exchanging},
	DeadlinePassed{}.kind():  {Exchanging, Retrying},
	Aggregated{}.kind():      {Aggregating},
	Evaluated{}.kind():       {Selecting, Exchanging, Aggregating, Evaluating, Retrying},
	Published{}.kind():       {Selecting, Exchanging, Aggregating, Publishing, Retrying},
	EffectFailed{}.kind():    {Selecting, Exchanging, Aggregating, Evaluating, Publishing, Retrying},
	StopRequested{}.kind():   {Selecting, Exchanging, Aggregating, Evaluating, Publishing, Retrying},
	ArtefactLost{}.kind():    {Selecting, Exchanging, Aggregating, Evaluating, Publishing, Retrying},
	NotFinite{}.kind():       {Selecting, Exchanging, Aggregating, Evaluating, Retrying},
	Removed{}.kind():         {Completed, Failed, Stopped, Diverged},
}

// Step gives the state after e and what is to be done then. The state passed
// in is not changed. A *TransitionError means that e changes nothing and must
// not be recorded.
func Step(s State, e Event) (State, []Effect, error) {
	if !slices.Contains(allowed[e.kind()], s.Phase) {
		return s, nil, s.illegal(e, "not legal here")
	}
	switch e := e.(type) {
	case Submitted:
		return s.submit(e)
	case CohortSelected:
		return s.open(e)
	case Answered:
		return s.answer(e)
	case ParticipantLost:
		return s.lose(e)
	case Replaced:
		return s.replace(e)
	case DeadlinePassed:
		return s.expire(e)
	case Aggregated:
		return s.aggregated(e)
	case Evaluated:
		return s.evaluated(e)
	case Published:
		return s.published(e)
	case EffectFailed:
		return s.effectFailed(e)
	case StopRequested:
		return s.stop(e)
	case ArtefactLost:
		return s.artefactLost(e)
	case NotFinite:
		return s.notFinite(e)
	case Removed:
		return State{}, nil, nil // which awaits another run
	default:
		return s, nil, s.illegal(e, "not known")
	}
}

func (s State) illegal(e Event, why string) error {
	return &TransitionError{Event: e.kind(), Phase: s.Phase, Why: why}
}

// current refuses results that belong to another attempt.
func (s State) current(e Event, round, attempt int) error {
	if round != s.Round || attempt != s.Attempt {
		return s.illegal(e, fmt.Sprintf("it is of round %d attempt %d, the run is at %d attempt %d", round, attempt, s.Round, s.Attempt))
	}
	return nil
}

func (s State) submit(e Submitted) (State, []Effect, error) {
	if err := e.Config.Validate(); err != nil {
		return s, nil, s.illegal(e, err.Error())
	}
	next := State{
		Run: e.Run, Config: e.Config, Definition: e.Definition,
		Phase: Selecting, Round: 1, Model: e.Model,
	}
	return next, Pending(next), nil
}

// open mints the first exchange's tasks and opens its window.
func (s State) open(e CohortSelected) (State, []Effect, error) {
	if err := s.current(e, e.Round, e.Attempt); err != nil {
		return s, nil, err
	}
	cohort := slices.Sorted(slices.Values(e.Cohort))
	if len(cohort) == 0 || len(slices.Compact(slices.Clone(cohort))) != len(cohort) {
		return s, nil, s.illegal(e, "a cohort is one or more distinct participants")
	}
	s.clear()
	s.cohort, s.nonce = cohort, e.Nonce
	return s.openExchange(0, cohort, e.At)
}

func (s State) openExchange(x int, cohort []string, at time.Time) (State, []Effect, error) {
	s.Phase, s.Exchange, s.vacant = Exchanging, x, vacancies{}
	exchange := s.Config.Exchanges[x]
	s.Deadline = at.Add(exchange.Window.Deadline)
	opened := s.exchange(exchange.Name)
	for _, name := range cohort {
		opened = opened.set(opened.task(x, name))
	}
	s.exchanges = append(slices.Clone(s.exchanges), opened)
	if target, minimum := s.bounds(); len(cohort) < minimum {
		return s.fail(fmt.Sprintf("a cohort of %d cannot give the %d answers that exchange %s needs (target %d)", len(cohort), minimum, exchange.Name, target), at, Selecting)
	}
	return s, s.progressing(), nil
}

// exchange is one that has asked nobody yet.
func (s State) exchange(name string) asked {
	a := asked{prefix: s.Run + "/" + strconv.Itoa(s.Round) + "." + strconv.Itoa(s.Attempt) + "/" + name + "/"}
	if s.nonce != "" {
		a.suffix = "/" + s.nonce
	}
	return a
}

// bounds are the open window's target and minimum, in answers: one a seat.
func (s State) bounds() (target, minimum int) {
	w := s.Config.Exchanges[s.Exchange].Window
	seats := s.under().seats
	target = w.Target
	if target == 0 || target > seats {
		target = seats
	}
	minimum = w.Minimum
	if minimum == 0 {
		minimum = max((target+1)/2, min(s.Config.Quorum, target))
	}
	return target, minimum
}

func (s State) answer(e Answered) (State, []Effect, error) {
	before := s
	verdict, reason := Judge(s, e)
	acknowledge := Acknowledge{Task: e.Task, Participant: e.Participant, Verdict: verdict, Reason: reason}
	t, known := s.Task(e.Task)
	awaited := known && t.Participant == e.Participant && (t.Status == Open || t.Status == Lost)
	switch verdict {
	case VerdictAccepted:
		t.Status, t.Digest, t.Samples, t.Reason = Accepted, e.Digest, e.Samples, ""
		s.Counts.Accepted++
	case VerdictNoted:
		t.Status, t.Reason, t.Later, t.Diverged = Declined, reason, e.Later, e.Diverged
		s.Counts.Declined++
	case VerdictRejected:
		if awaited {
			t.Status, t.Reason, t.Diverged = Rejected, reason, e.Diverged
		}
		s.Counts.Rejected++
	case VerdictLate:
		s.Counts.Late++
		return s, []Effect{acknowledge}, nil // a task that awaits an answer still does
	case VerdictDuplicate:
		return s, []Effect{acknowledge}, nil
	}
	if !awaited {
		return s, []Effect{acknowledge}, nil
	}
	s.missed(t)
	s.set(t)
	done := []Effect{acknowledge}
	if t.Status == Accepted {
		withdrawn := s.fill(t)
		done = append(done, withdrawn...)
	} else {
		s.vacate(t, e.At)
	}
	s, again := s.unhalt()
	next, effects, err := s.advance(e.At, false)
	return next, next.refilling(before, append(append(done, again...), effects...)), err
}

func (s State) lose(e ParticipantLost) (State, []Effect, error) {
	before := s
	t, ok := s.TaskOf(e.Participant)
	if !ok || t.Status != Open {
		return s, nil, s.illegal(e, "no open task is the participant's")
	}
	t.Status, t.Reason = Lost, "the participant went away"
	s.missed(t)
	s.set(t)
	s.vacate(t, e.At)
	s.Counts.Lost++
	next, effects, err := s.advance(e.At, false)
	return next, next.refilling(before, effects), err
}

func (s State) expire(e DeadlinePassed) (State, []Effect, error) {
	if err := s.current(e, e.Round, e.Attempt); err != nil {
		return s, nil, err
	}
	if s.Phase == Retrying {
		return s.retry()
	}
	if e.Exchange != s.Exchange {
		return s, nil, s.illegal(e, "it is of another exchange")
	}
	return s.advance(e.At, true)
}

// advance closes the open window, or fails the attempt, when the window's
// rule says so. A lost task may be answered but is not waited for; its
// replacement is, even before it is known.
func (s State) advance(at time.Time, expired bool) (State, []Effect, error) {
	target, minimum := s.bounds()
	accepted := s.Count(Accepted)
	open := s.Count(Open) + s.vacant.len()
	switch {
	case accepted >= target, accepted >= minimum && (expired || open == 0):
		return s.closeWindow(at)
	case expired:
		return s.fail(fmt.Sprintf("%d of %d answers at the deadline, %d needed", accepted, target, minimum), at, Selecting)
	case accepted+open < minimum && s.diverges(minimum):
		s, effects := s.giveUp(Diverged, fmt.Sprintf("too many sites' training diverged%s", s.firstReason()))
		return s, effects, nil
	case accepted+open < minimum:
		return s.fail(fmt.Sprintf("%d answers accepted, %d still possible, %d needed%s", accepted, open, minimum, s.firstReason()), at, Selecting)
	}
	return s, nil, nil
}

// firstReason quotes one participant's reason, so that a failed round says
// what to look at.
func (s State) firstReason() string {
	for t := range s.Tasks() {
		if t.Reason != "" {
			return fmt.Sprintf(" (%s: %s)", t.Participant, t.Reason)
		}
	}
	return ""
}

func (s State) closeWindow(at time.Time) (State, []Effect, error) {
	s.absent = s.absent.of(s.Round, s.Attempt)
	s, withdrawn := s.withdraw("the window closed")
	if x := s.Exchange + 1; x < len(s.Config.Exchanges) {
		var cohort []string
		for _, t := range s.under().with(Accepted) {
			cohort = append(cohort, t.Participant)
		}
		next, effects, err := s.openExchange(x, cohort, at)
		return next, append(withdrawn, effects...), err
	}
	s, effects := s.aggregate()
	return s, append(withdrawn, effects...), nil
}

// withdraw takes back every task that is not answered.
func (s State) withdraw(reason string) (State, []Effect) {
	s.vacant = vacancies{}
	var tasks []Task
	for _, t := range append(s.under().with(Open), s.under().with(Lost)...) {
		t.Status, t.Reason = Withdrawn, reason
		s.set(t)
		tasks = append(tasks, t)
	}
	if len(tasks) == 0 {
		return s, nil
	}
	return s, []Effect{Withdraw{Tasks: tasks, Reason: reason}}
}
