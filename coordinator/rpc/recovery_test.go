package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/registry"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/trainer"
)

// mortal is a coordinator with certificates that is killed and comes back: its
// folder and its authority outlive it.
type mortal struct {
	*world
	dir      string
	security rpc.Security

	mu   sync.Mutex
	life *life // the newest
}

// life is one process: what it has open, and how it is killed.
type life struct {
	*server
	*coordinator.Coordinator
	registry *registry.Registry
	dead     <-chan error // why its coordinator returned
	kill     context.CancelFunc
	files    []*journal.File
}

// mains is a journal whose process a power cut ends: at the append that takes left
// to 0, before or after its records reached the disk.
type mains struct {
	journal.Store
	left  int // 0: there is none
	after bool
}

var errPower = errors.New("power cut")

func (c *mains) Append(ctx context.Context, head uint64, records []journal.Record) error {
	c.left--
	if c.left == 0 && !c.after {
		return errPower
	}
	err := c.Store.Append(ctx, head, records)
	if c.left == 0 {
		err = errors.Join(err, errPower)
	}
	return err
}

// rise starts a process, which a power cut ends if f says so.
func (m *mortal) rise(f fate) *life {
	m.t.Helper()
	runs, err := journal.OpenFile(filepath.Join(m.dir, "journal.jsonl"))
	if err != nil {
		m.t.Fatal(err)
	}
	members, err := journal.OpenFile(filepath.Join(m.dir, "registry.jsonl"))
	if err != nil {
		m.t.Fatal(err)
	}
	blobs, err := spool.Open(filepath.Join(m.dir, "spool"), spool.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	l := &life{files: []*journal.File{runs, members}}
	if l.registry, err = registry.Open(m.t.Context(), members); err != nil {
		m.t.Fatal(err)
	}
	store := &mains{Store: runs, left: f.power, after: f.after}
	l.Coordinator, err = coordinator.New(m.t.Context(), coordinator.Options{Journal: store, Spool: blobs, Log: zap.NewNop(), Grace: coordinator.DefaultGrace})
	if err != nil {
		m.t.Fatal(err)
	}
	ctx, kill := context.WithCancel(m.t.Context())
	dead := make(chan error, 1)
	go func() { dead <- l.Run(ctx) }()
	l.kill, l.dead = kill, dead
	security := m.security
	security.Registry = l.registry
	l.server = serveLogged(m.t, l, l, func(o *rpc.Options) { o.Security, o.StopWithin = &security, 0 }, zap.NewNop())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.life, m.world.registry, m.world.server = l, l.registry, l.server
	return l
}

// fall ends a process after d, unless its power cut comes first.
func (m *mortal) fall(l *life, d time.Duration) {
	m.t.Helper()
	timer := time.AfterFunc(d, l.kill)
	err := <-l.dead
	timer.Stop()
	l.kill()
	if err != nil && !errors.Is(err, errPower) {
		m.t.Fatal(err)
	}
	if err := errors.Join(l.stop(), l.files[0].Close(), l.files[1].Close()); err != nil {
		m.t.Fatal(err)
	}
}

// dial connects to the newest process, whether it lives or not.
func (m *mortal) dial(ctx context.Context, _ string) (net.Conn, error) {
	m.mu.Lock()
	l := m.life
	m.mu.Unlock()
	return l.listener.DialContext(ctx)
}

// drifting trains for a while and changes every weight by an amount that
// depends on the site and the round.
type drifting struct{ pause func() time.Duration }

func (d drifting) Train(ctx context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	select {
	case <-time.After(d.pause()):
	case <-ctx.Done():
		return trainer.Result{}, ctx.Err()
	}
	h := fnv.New32a()
	fmt.Fprint(h, t.Participant, t.Round)
	result, err := adding(float32(h.Sum32()%1000)/7).Train(ctx, t, global, done)
	result.Samples = int64(h.Sum32()%5) + 1
	return result, err
}

// attend starts a site that dials the newest process.
func (m *mortal) attend(name string, tr participant.Trainer) {
	m.t.Helper()
	o := participant.DefaultOptions()
	o.Name, o.Coordinator, o.Credential, o.Dial = name, address, m.site(name), m.dial
	joinAs(m.t, o, tr)
}

// fate is when a process is killed, and what is before the next one.
type fate struct {
	age, rest time.Duration
	power     int // of the next process
	after     bool
}

// fates draws some; the last process lives.
func fates(random *rand.Rand, kills int) []fate {
	within := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(int64(d))) }
	var all []fate
	for range kills {
		all = append(all, fate{within(5 * time.Second), within(10 * time.Second), random.IntN(8), random.IntN(2) == 0})
	}
	if kills > 0 {
		all[kills-1].power = 0
	}
	return all
}

// trainMortally trains for four rounds with two sites while the coordinator is
// killed so many times, at moments drawn from the seed. It returns the versions
// published.
func trainMortally(t *testing.T, seed uint64, kills int) []string {
	t.Helper()
	m := &mortal{world: newWorld(t), dir: t.TempDir()}
	m.security = rpc.Security{
		Credential: m.credential(m.root, pki.Identity{Federation: "heart", Role: pki.Coordinator, Name: "c"}, pki.LeafLifetime),
		Issuer:     func() (*pki.Authority, error) { return m.issuer, nil },
	}
	l := m.rise(fate{})
	d := coordinator.DefaultDefinition()
	d.Rounds, d.MinSites = 4, 2
	submitAs(t, l.Coordinator, d)
	belong := []string{"a", "b"} // as the registry must know after every kill
	for i, name := range belong {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		m.attend(name, drifting{func() time.Duration { return time.Duration(random.Int64N(int64(3 * time.Second))) }})
	}
	for i, f := range fates(rand.New(rand.NewPCG(seed, 99)), kills) {
		guest := fmt.Sprintf("guest-%d", i)
		if err := m.registry.Invite(t.Context(), guest, pki.HashSecret(pki.NewSecret()), "", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		belong = append(belong, guest)
		m.fall(l, f.age)
		time.Sleep(f.rest)
		l = m.rise(f)
		var known []string
		for _, s := range l.registry.Sites() {
			known = append(known, s.Name)
		}
		if !slices.Equal(known, belong) {
			t.Errorf("seed %d: after kill %d the registry knows %v, want %v", seed, i+1, known, belong)
		}
	}
	defer m.fall(l, 0)
	last, _ := finish(t, l.Coordinator)
	if last.Phase != round.Completed || last.Counts.Accepted != 8 {
		t.Errorf("seed %d: got %+v, want four rounds of two updates", seed, last)
	}
	var versions []string
	for _, v := range last.Published {
		versions = append(versions, v.Model)
	}
	return versions
}

// A coordinator that is killed at any moment, and comes back, ends with the
// models of one that never was, makes them of as many updates, and knows who
// belongs.
func TestKillsChangeNothing(t *testing.T) {
	var want []string
	synctest.Test(t, func(t *testing.T) { want = trainMortally(t, 0, 0) })
	seeds := uint64(12)
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			if got := trainMortally(t, seed, 4); !slices.Equal(got, want) {
				t.Errorf("seed %d: got versions %.12q, want %.12q", seed, got, want)
			}
		})
	}
}
