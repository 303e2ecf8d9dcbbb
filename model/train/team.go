package train

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// team carries out tasks on several goroutines. Between tasks that follow each
// other closely its members wait without sleeping, because to wake one takes as
// long as half of a training step.
type team struct {
	members []*member // but for the caller of run
	closed  sync.WaitGroup

	task   task
	pieces int
	taken  []atomic.Uint32 // the round in which each piece was begun last
	round  atomic.Uint32
	busy   atomic.Int32 // members that have not finished this round
	stop   bool
}

// member is one goroutine of a team.
type member struct {
	asleep atomic.Bool
	wake   chan struct{}
}

// task is work in pieces, which members do at once. do gets the number of the
// member, by which it finds memory of its own; the caller of run is 0.
type task interface {
	do(member, piece int)
}

// patience is how often a member looks for work before it sleeps: some tens of
// microseconds.
const patience = 100_000

// newTeam starts size−1 goroutines.
func newTeam(size int) *team {
	t := &team{}
	for i := 1; i < size; i++ {
		m := &member{wake: make(chan struct{}, 1)}
		t.members = append(t.members, m)
		t.closed.Go(func() { t.serve(m, i) })
	}
	return t
}

// run carries out all pieces of a task and returns when they are done.
func (t *team) run(work task, pieces int) {
	if pieces == 1 || len(t.members) == 0 {
		for piece := range pieces {
			work.do(0, piece)
		}
		return
	}
	for len(t.taken) < pieces {
		t.taken = append(t.taken, atomic.Uint32{})
	}
	t.task, t.pieces = work, pieces
	t.begin()
	t.take(0)
	t.wait()
}

// close stops the goroutines and waits for them.
func (t *team) close() {
	t.stop = true
	t.begin()
	t.closed.Wait()
	t.members = nil
}

// begin lets the members see what the caller has set.
func (t *team) begin() {
	t.busy.Store(int32(len(t.members)))
	t.round.Add(1)
	for _, m := range t.members {
		if m.asleep.CompareAndSwap(true, false) {
			m.wake <- struct{}{}
		}
	}
}

// wait returns when all members have finished.
func (t *team) wait() {
	for tries := 0; t.busy.Load() > 0; tries++ {
		if tries > patience {
			runtime.Gosched()
		}
	}
}

// take does pieces until none is left. Each member begins with the same ones in
// every round, so that what they work on stays in its processor's own cache.
func (t *team) take(number int) {
	round := t.round.Load()
	first := number * t.pieces / (len(t.members) + 1)
	for i := range t.pieces {
		piece := (first + i) % t.pieces
		if before := t.taken[piece].Load(); before != round && t.taken[piece].CompareAndSwap(before, round) {
			t.task.do(number, piece)
		}
	}
}

func (t *team) serve(m *member, number int) {
	for seen := uint32(0); ; {
		seen = t.await(m, seen)
		if t.stop {
			return
		}
		t.take(number)
		t.busy.Add(-1)
	}
}

// await returns the number of the round after seen.
func (t *team) await(m *member, seen uint32) uint32 {
	for tries := 0; t.round.Load() == seen; tries++ {
		if tries < patience {
			continue
		}
		tries = 0
		m.asleep.Store(true)
		// A round that begins now may or may not have seen the sleeper.
		if t.round.Load() == seen || !m.asleep.CompareAndSwap(true, false) {
			<-m.wake
		}
	}
	return t.round.Load()
}
