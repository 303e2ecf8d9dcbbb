package coordinator

import (
	"slices"
	"strings"
	"sync"
)

// maxUploads is how many artefacts a task may bring; an honest site brings one,
// and perhaps another after it has lost its folder.
const maxUploads = 4

// uploads are the artefacts that each open task has brought, so that those which
// no answer names do not stay. Methods may be called concurrently.
type uploads struct {
	mu     sync.Mutex
	byTask map[string][]string // digests
}

func (u *uploads) note(task, digest string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byTask == nil {
		u.byTask = map[string][]string{}
	}
	if !slices.Contains(u.byTask[task], digest) {
		u.byTask[task] = append(u.byTask[task], digest)
	}
}

func (u *uploads) full(task string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.byTask[task]) >= maxUploads
}

// take forgets what the tasks that are over have brought, and returns it.
func (u *uploads) take(over func(task string) bool) (digests []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for task, brought := range u.byTask {
		if over(task) {
			digests = append(digests, brought...)
			delete(u.byTask, task)
		}
	}
	return digests
}

// over tells the loop whether nobody waits for an answer to the task any more.
func (c *Coordinator) over(task string) bool {
	run, _, _ := strings.Cut(task, "/")
	t, ok := c.state(run).Task(task)
	return !ok || !awaited(t)
}

// Stored notes that a task has brought an artefact, which goes with its attempt
// unless an accepted answer names it.
func (c *Coordinator) Stored(task, digest string) { c.uploads.note(task, digest) }
