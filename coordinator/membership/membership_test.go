package membership

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/gossip"
)

// A probe that memberlist has begun ends a few seconds after its Shutdown, so
// leaks get some time to mend.
func TestMain(m *testing.M) {
	code := m.Run()
	for range 50 {
		if goleak.Find() == nil {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// source is a coordinator with one site.
type source struct {
	mu    sync.Mutex
	hints []string
}

func (*source) List(_ uint64, _ int, active bool) []coordinator.Entry {
	all := []coordinator.Entry{
		{Number: 7, State: round.State{Run: "old", Phase: round.Completed, Round: 9}},
		{Number: 1, State: round.State{Run: "r", Phase: round.Exchanging, Round: 2}},
	}
	return slices.DeleteFunc(all, func(e coordinator.Entry) bool { return active && e.State.Phase.Final() })
}

func (*source) Members() []coordinator.Member {
	return []coordinator.Member{
		{Name: "athens", Role: coordinator.RoleParticipant, State: coordinator.Attending, Version: "v1"},
		{Name: "zurich", Role: coordinator.RoleParticipant, State: coordinator.Away},
	}
}

func (s *source) hint(what, participant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hints = append(s.hints, what+" "+participant)
}

func (s *source) Suspect(participant string) { s.hint("suspect", participant) }
func (s *source) Back(participant string)    { s.hint("back", participant) }

func (s *source) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hints
}

// background runs work until the test ends.
func background(t *testing.T, work func(context.Context)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); work(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

func open(t *testing.T, overlap time.Duration) (*Membership, *source) {
	t.Helper()
	s := &source{}
	o := Options{
		Self:    gossip.Node{Role: gossip.Coordinator, Name: "hub", Version: "v2", Capabilities: exchange.Capabilities{Cores: 4}},
		Gossip:  gossip.Options{Bind: "127.0.0.1:0", Keyring: filepath.Join(t.TempDir(), "keyring")},
		Overlap: overlap,
	}
	m, err := Open(o, s, s, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	background(t, m.Run)
	return m, s
}

// join gossips as a site with the coordinator's own keyring file.
func join(t *testing.T, m *Membership, name string) (g *gossip.Gossip, stop func()) {
	t.Helper()
	self := gossip.Node{Role: gossip.Participant, Name: name, Version: "v3", Run: "r", Round: 2, Load: 1}
	g, err := gossip.Open(gossip.Options{Bind: "127.0.0.1:0", Join: []string{m.Addr()}, Keyring: m.o.Gossip.Keyring}, self, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	return g, background(t, func(ctx context.Context) { g.Run(ctx, func() gossip.Node { return self }) })
}

// eventually waits for what takes gossip a moment.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: not within half a minute", what)
}

func TestMembersAreJoinedWithGossip(t *testing.T) {
	t.Parallel()
	m, s := open(t, time.Hour)
	_, leave := join(t, m, "athens")
	berlin, _ := join(t, m, "berlin")
	eventually(t, "both are heard of", func() bool { return len(s.heard()) == 2 })
	leave()
	eventually(t, "one has left", func() bool { return len(s.heard()) == 3 })
	if got := s.heard()[2]; got != "suspect athens" {
		t.Errorf("got hint %q, want that athens has gone", got)
	}
	want := []coordinator.Member{
		{Name: "hub", Role: coordinator.RoleCoordinator, State: coordinator.Serving, Gossip: "alive", Version: "v2", Run: "r", Round: 2, Load: 1,
			Capabilities: exchange.Capabilities{Cores: 4}},
		{Name: "athens", Role: coordinator.RoleParticipant, State: coordinator.Attending, Version: "v1", Gossip: "left"}, // and attends all the same
		{Name: "berlin", Role: coordinator.RoleParticipant, State: coordinator.Unknown, Gossip: "alive", Version: "v3", Run: "r", Round: 2, Load: 1},
		{Name: "zurich", Role: coordinator.RoleParticipant, State: coordinator.Away},
	}
	eventually(t, "the coordinator tells what it does", func() bool { return m.Members()[0].Run == "r" })
	if diff := cmp.Diff(want, m.Members(), cmpopts.IgnoreFields(coordinator.Member{}, "Since")); diff != "" {
		t.Errorf("got (+), want (-):\n%s", diff)
	}
	eventually(t, "a site hears what the coordinator does", func() bool {
		for _, p := range berlin.Peers() {
			if p.Name == "hub" && p.Run == "r" && p.Round == 2 && p.Load == 1 {
				return true
			}
		}
		return false
	})
}

func TestRotate(t *testing.T) {
	t.Parallel()
	m, s := open(t, 100*time.Millisecond)
	join(t, m, "athens")
	eventually(t, "they meet", func() bool { return len(s.heard()) == 1 })
	before, changed := m.Keys()
	m.Rotate()
	<-changed
	eventually(t, "the old key is gone", func() bool {
		after, _ := m.Keys()
		return len(after) == 1 && string(after[0]) != string(before[0])
	})
	after, _ := m.Keys()
	if kept, err := gossip.LoadKeys(m.o.Gossip.Keyring); err != nil || !kept.Equal(after) {
		t.Errorf("the file holds %d keys (%v), want those in use", len(kept), err)
	}
	join(t, m, "berlin") // reads the file
	eventually(t, "the new key opens the door", func() bool { return len(s.heard()) >= 2 })
}

// A ring of several keys is a rotation that has not ended.
func TestRotated(t *testing.T) {
	t.Parallel()
	m, _ := open(t, time.Hour)
	if age := time.Since(m.Rotated()); age < 0 || age > time.Minute {
		t.Errorf("a new ring is %v old", age)
	}
	_, changed := m.Keys()
	m.Rotate()
	<-changed
	if age := time.Since(m.Rotated()); age < time.Hour {
		t.Errorf("a ring in mid-rotation is %v old, want older than the rotation", age)
	}
}
