package rpc_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// member has every field set.
func member(role coordinator.Role, name string) coordinator.Member {
	return coordinator.Member{
		Name: name, Role: role, State: coordinator.Away, Since: time.Unix(1e9, 5).UTC(), Gossip: "dead", Heard: time.Unix(1e9, 0).UTC(),
		Version: "v1", Run: "r", Round: 3, Load: 2,
		Capabilities: exchange.Capabilities{Trainer: "builtin", Cores: 4, Memory: 8 << 30, SamplesPerSecond: 1500.5, Datasets: []string{"digits"}},
	}
}

func TestMembersTravelWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runs{members: []coordinator.Member{member(coordinator.RoleCoordinator, "hub"), {Name: "bare", Role: coordinator.RoleParticipant}}}
		for i := range 1200 { // several pages
			r.members = append(r.members, member(coordinator.RoleParticipant, fmt.Sprintf("site-%04d", i)))
		}
		c := serve(t, &fake{}, r, nil).admin()
		got, err := c.Members(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.members, got); diff != "" {
			t.Errorf("got (+), want (-):\n%s", diff)
		}
		enough := errors.New("enough")
		err = c.WatchMembers(t.Context(), func(got []coordinator.Member) error {
			if diff := cmp.Diff(r.members, got); diff != "" {
				t.Errorf("watched, got (+), want (-):\n%s", diff)
			}
			return enough
		})
		if !errors.Is(err, enough) {
			t.Errorf("got %v, want the watcher's own error", err)
		}
	})
}

// changing is a coordinator whose members change.
type changing struct {
	runs
	mu  sync.Mutex
	now []coordinator.Member
}

func (c *changing) Members() []coordinator.Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *changing) set(members ...coordinator.Member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = members
}

func TestWatchMembersFollowsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &changing{}
		s := serve(t, &fake{}, r, nil)
		var seen []string
		watched := make(chan error, 1)
		c := s.admin()
		go func() {
			watched <- c.WatchMembers(t.Context(), func(members []coordinator.Member) error {
				var names []string
				for _, m := range members {
					names = append(names, fmt.Sprintf("%s.%d", m.Name, m.Load))
				}
				seen = append(seen, strings.Join(names, " "))
				return nil
			})
		}()
		a, b := member(coordinator.RoleParticipant, "a"), member(coordinator.RoleParticipant, "b")
		time.Sleep(1500 * time.Millisecond)
		r.set(a, b)
		time.Sleep(3 * time.Second) // nothing new in two of them
		a.Load = 5
		r.set(a, b)
		time.Sleep(time.Second)
		r.set(a)
		time.Sleep(time.Second)
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		if err := <-watched; !errors.Is(err, fault.Unavailable) {
			t.Errorf("got %v, want class fault.Unavailable", err)
		}
		if diff := cmp.Diff([]string{"", "a.2 b.2", "a.5 b.2", "a.5"}, seen); diff != "" {
			t.Errorf("got (+), want (-):\n%s", diff)
		}
	})
}

func TestHelloAndRenewalsReachTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		p := serve(t, f, nil, nil).open()
		p.say(&accordv1.AttendRequest{Message: &accordv1.AttendRequest_Hello{Hello: &accordv1.Hello{
			Name: "a", Version: "v9", Protocol: exchange.Protocol + 5, OldestProtocol: exchange.Protocol, Features: []string{"load", "flying"},
			Capabilities: &accordv1.Capabilities{Trainer: "exec", Cores: 2, Memory: 1 << 30, SamplesPerSecond: 10, Datasets: []string{"d"}},
		}}})
		m, err := p.Recv()
		if w := m.GetWelcome(); err != nil || w.GetProtocol() != exchange.Protocol || !cmp.Equal(w.GetFeatures(), append(exchange.Features(), exchange.FeatureTurns)) {
			t.Errorf("got %v (%v), want a welcome in protocol %d", m, err, exchange.Protocol)
		}
		want := exchange.Hello{
			Name: "a", Version: "v9", Protocol: exchange.Protocol + 5, Oldest: exchange.Protocol, Features: []string{"load", "flying"},
			Capabilities: exchange.Capabilities{Trainer: "exec", Cores: 2, Memory: 1 << 30, SamplesPerSecond: 10, Datasets: []string{"d"}},
		}
		link := f.link(0)
		if diff := cmp.Diff(want, link.Hello()); diff != "" {
			t.Errorf("got (+), want (-):\n%s", diff)
		}
		time.Sleep(9 * time.Second)
		p.say(&accordv1.AttendRequest{Message: &accordv1.AttendRequest_Renewal{Renewal: &accordv1.Renewal{Load: 3}}})
		synctest.Wait()
		if got, want := link.Pulse(), (coordinator.Pulse{Heard: time.Now().UTC(), Load: 3}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// keyring is one that changes.
type keyring struct {
	mu      sync.Mutex
	keys    [][]byte
	changed chan struct{}
}

func (k *keyring) Keys() ([][]byte, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys, k.changed
}

func (k *keyring) set(keys ...[]byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.changed)
	k.keys, k.changed = keys, make(chan struct{})
}

func TestKeysAreHandedToThoseWhoGossip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keyring{keys: [][]byte{[]byte("one")}, changed: make(chan struct{})}
		s := serve(t, &fake{}, nil, func(o *rpc.Options) { o.Keyring = k })
		silent := s.attend("silent")
		p := s.open()
		p.say(&accordv1.AttendRequest{Message: &accordv1.AttendRequest_Hello{Hello: &accordv1.Hello{
			Name: "a", Protocol: exchange.Protocol, Features: []string{exchange.FeatureGossip},
		}}})
		if m, err := p.Recv(); err != nil || !cmp.Equal(m.GetWelcome().GetFeatures(), append(exchange.Features(), exchange.FeatureTurns, exchange.FeatureGossip)) {
			t.Errorf("got %v (%v), want a welcome with gossip", m, err)
		}
		for _, want := range [][][]byte{{[]byte("one")}, {[]byte("two"), []byte("one")}} {
			m, err := p.Recv()
			if err != nil || !cmp.Equal(m.GetKeyring().GetKeys(), want) {
				t.Errorf("got %v (%v), want keys %q", m, err, want)
			}
			k.set([]byte("two"), []byte("one"))
		}
		heard := make(chan string, 1)
		go func() {
			m, err := silent.Recv()
			heard <- fmt.Sprint(m, err)
		}()
		time.Sleep(time.Second)
		select {
		case what := <-heard:
			t.Errorf("one who does not gossip heard %s", what)
		default:
		}
	})
}

// Who no longer belongs hears of no other key, though his stream lives for a
// moment longer.
func TestKeysAreNotHandedToThoseWhoLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keyring{keys: [][]byte{[]byte("one")}, changed: make(chan struct{})}
		w := newWorld(t, func(o *rpc.Options) { o.Keyring = k })
		stream, err := accordv1.NewFederationServiceClient(w.dial(w.site("a"))).Attend(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m := hello("a", exchange.Protocol)
		m.GetHello().Features = []string{exchange.FeatureGossip}
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
		for range 2 { // welcome and keyring
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.registry.Leave(t.Context(), "a", ""); err != nil {
			t.Fatal(err)
		}
		k.set([]byte("two"))
		if m, err := stream.Recv(); err == nil {
			t.Errorf("heard %v", m)
		}
	})
}
