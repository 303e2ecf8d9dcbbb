package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
)

// A probe that memberlist has begun ends a few seconds after its Shutdown, so
// leaks get some time to mend.
func TestMain(m *testing.M) {
	code := m.Run()
	var leaks error
	for range 50 {
		if leaks = goleak.Find(); leaks == nil || code != 0 {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	if leaks != nil && code == 0 {
		fmt.Fprintln(os.Stderr, leaks)
		code = 1
	}
	os.Exit(code)
}

// running is a node that gossips on loopback until the test ends.
type running struct {
	*Gossip
	t    *testing.T
	stop func()

	mu   sync.Mutex
	self Node
	told []Peer
}

// ring writes a keyring file.
func ring(t *testing.T, keys ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyring")
	if err := Keys(keys).Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func start(t *testing.T, self Node, keyring string, join ...string) *running {
	t.Helper()
	r := &running{t: t, self: self}
	o := Options{Bind: "127.0.0.1:0", Join: join, Keyring: keyring, Changed: func(p Peer) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.told = append(r.told, p)
	}}
	g, err := Open(o, self, zaptest.NewLogger(t, zaptest.Level(zap.InfoLevel)))
	if err != nil {
		t.Fatal(err)
	}
	r.Gossip = g
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.Run(ctx, func() Node {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.self
		})
	}()
	r.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(r.stop)
	return r
}

// eventually waits for what takes memberlist a moment.
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

// sees reports whether the node knows another in a state.
func (r *running) sees(name string, s State, also func(Peer) bool) func() bool {
	return func() bool {
		for _, p := range r.Peers() {
			if p.Name == name && p.State == s && (also == nil || also(p)) {
				return true
			}
		}
		return false
	}
}

func TestNodesFindEachOtherAndPart(t *testing.T) {
	t.Parallel()
	key := NewKey()
	c := start(t, Node{Role: Coordinator, Name: "hub", Version: "v1"}, ring(t, key))
	site := Node{Role: Participant, Name: "athens", Version: "v2", Capabilities: exchange.Capabilities{Cores: 4, Datasets: []string{"digits"}}}
	a := start(t, site, ring(t, key), c.Addr())
	b := start(t, Node{Role: Participant, Name: "berlin"}, ring(t, key), c.Addr())
	eventually(t, "everybody knows everybody", func() bool {
		return c.sees("athens", Alive, nil)() && c.sees("berlin", Alive, nil)() && a.sees("berlin", Alive, nil)() && b.sees("hub", Alive, nil)()
	})
	a.mu.Lock()
	a.self.Run, a.self.Round, a.self.Load = "r", 3, 2
	a.mu.Unlock()
	eventually(t, "the coordinator hears what a site does", c.sees("athens", Alive, func(p Peer) bool {
		return p.Run == "r" && p.Round == 3 && p.Load == 2 && p.Version == "v2" && p.Capabilities.Cores == 4 && len(p.Capabilities.Datasets) == 1
	}))
	a.stop()
	eventually(t, "a site leaves", func() bool { return c.sees("athens", Left, nil)() && b.sees("athens", Left, nil)() })
	back := start(t, site, ring(t, key), c.Addr())
	eventually(t, "a site is back", func() bool { return c.sees("athens", Alive, nil)() && back.sees("berlin", Alive, nil)() })
	if self := c.Self(); self.Name != "hub" || self.Role != Coordinator {
		t.Errorf("got %+v, want the coordinator's own name and role", self)
	}
}

func TestANodeThatIsKilledIsFound(t *testing.T) {
	t.Parallel()
	key := NewKey()
	c := start(t, Node{Role: Coordinator, Name: "hub"}, ring(t, key))
	a, err := Open(Options{Bind: "127.0.0.1:0", Keyring: ring(t, key)}, Node{Role: Participant, Name: "athens"}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.list.Join([]string{c.Addr()}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "they meet", c.sees("athens", Alive, nil))
	if err := a.list.Shutdown(); err != nil { // it says no farewell
		t.Fatal(err)
	}
	eventually(t, "the coordinator finds out", c.sees("athens", Dead, nil))
	eventually(t, "and is told", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.told) == 2 && c.told[0].State == Alive && c.told[1].State == Dead
	})
}

func TestStrangersAreNotHeard(t *testing.T) {
	t.Parallel()
	c := start(t, Node{Role: Coordinator, Name: "hub"}, ring(t, NewKey()))
	stranger := start(t, Node{Role: Participant, Name: "stranger"}, ring(t, NewKey()), c.Addr())
	if _, err := stranger.list.Join([]string{c.Addr()}); err == nil {
		t.Error("a stranger with another key has joined")
	}
	udp, err := net.Dial("udp", c.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for _, packet := range []string{"", "\x00", "plain words", string(make([]byte, 1400))} {
		if _, err := udp.Write([]byte(packet)); err != nil {
			t.Fatal(err)
		}
	}
	keys, _ := c.Keys()
	friend := start(t, Node{Role: Participant, Name: "friend"}, ring(t, keys...), c.Addr())
	eventually(t, "a friend is heard", func() bool { return c.sees("friend", Alive, nil)() && friend.sees("hub", Alive, nil)() })
	if peers := c.Peers(); len(peers) != 1 {
		t.Errorf("got %+v, want the friend alone", peers)
	}
}

func TestKeysChangeWhileNodesGossip(t *testing.T) {
	t.Parallel()
	old, fresh := NewKey(), NewKey()
	c := start(t, Node{Role: Coordinator, Name: "hub"}, ring(t, old))
	file := ring(t, old)
	a := start(t, Node{Role: Participant, Name: "athens"}, file, c.Addr())
	eventually(t, "they meet", c.sees("athens", Alive, nil))
	for _, step := range []Keys{{old, fresh}, {fresh, old}, {fresh}} {
		if err := step.Save(file); err != nil { // the site follows its file
			t.Fatal(err)
		}
		eventually(t, "the site takes the keys over", func() bool { keys, _ := a.Keys(); return keys.Equal(step) })
		if err := c.SetKeys(step); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.ring.GetKeys(); !Keys(got).Equal(Keys{fresh}) {
		t.Errorf("%d keys are left, want the new one alone", len(got))
	}
	a.mu.Lock()
	a.self.Run = "after"
	a.mu.Unlock()
	eventually(t, "they still understand each other", c.sees("athens", Alive, func(p Peer) bool { return p.Run == "after" }))
	revoked := start(t, Node{Role: Participant, Name: "revoked"}, ring(t, old), c.Addr())
	if _, err := revoked.list.Join([]string{c.Addr()}); err == nil {
		t.Error("the old key still opens the door")
	}
}

func TestOpenErrors(t *testing.T) {
	taken := start(t, Node{Role: Coordinator, Name: "hub"}, ring(t, NewKey()))
	good := Options{Bind: "127.0.0.1:0", Keyring: ring(t, NewKey())}
	tests := []struct {
		name   string
		change func(*Options)
		class  error
	}{
		{"a port in use", func(o *Options) { o.Bind = taken.Addr() }, fault.Unavailable},
		{"a host by name, which would mean all addresses", func(o *Options) { o.Bind = "localhost:0" }, fault.Input},
		{"no address", func(o *Options) { o.Bind = ":7946" }, fault.Input},
		{"advertised by name", func(o *Options) { o.Advertise = "example.org:1" }, fault.Input},
		{"no keyring", func(o *Options) { o.Keyring += ".none" }, fault.Input},
	}
	for _, test := range tests {
		o := good
		test.change(&o)
		if _, err := Open(o, Node{Role: Participant, Name: "x"}, zap.NewNop()); !errors.Is(err, test.class) {
			t.Errorf("%s: got %v, want class %v", test.name, err, test.class)
		}
	}
}
