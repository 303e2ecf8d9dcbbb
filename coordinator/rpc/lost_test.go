package rpc_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
)

// cable connects a site; pulled out, it closes no connection, but nothing
// arrives any more, either way.
type cable struct {
	node *node

	mu     sync.Mutex
	pulled bool
	conns  []net.Conn
}

func (c *cable) dial(ctx context.Context, _ string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pulled {
		return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
	}
	conn, err := c.node.listener.DialContext(ctx)
	if err == nil {
		c.conns = append(c.conns, conn)
	}
	return &plugged{conn, c}, err
}

// pull pulls the cable out; cut breaks its connections as well, as the end of
// the site's process does.
func (c *cable) pull(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulled = true
	for _, conn := range c.conns {
		if cut {
			_ = conn.Close() // it may be closed already
		}
	}
}

func (c *cable) out() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pulled
}

type plugged struct {
	net.Conn
	cable *cable
}

func (p *plugged) Read(b []byte) (int, error) {
	for {
		n, err := p.Conn.Read(b)
		if err != nil || !p.cable.out() {
			return n, err
		}
	}
}

func (p *plugged) Write(b []byte) (int, error) {
	if p.cable.out() {
		return len(b), nil
	}
	return p.Conn.Write(b)
}

// A site that is killed, or whose packets are dropped, in mid-round is replaced
// in time.
func TestALostSiteIsReplaced(t *testing.T) {
	for _, test := range []struct {
		name   string
		cut    bool
		within time.Duration
	}{
		{"killed", true, 5 * time.Second},
		{"packets dropped", false, 15 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, t.TempDir())
				d := coordinator.DefaultDefinition()
				d.Rounds, d.MinSites, d.Fraction = 1, 4, .75
				submitAs(t, n.Coordinator, d)
				cables, open := map[string]*cable{}, make(chan struct{})
				for _, name := range []string{"a", "b", "c", "d"} {
					cables[name] = &cable{node: n}
					joinBy(t, name, &gated{open: open}, cables[name].dial)
				}
				time.Sleep(time.Second + time.Second/2)
				before := cohort(t, n)
				cables[before[0]].pull(test.cut)
				time.Sleep(test.within)
				after := cohort(t, n)
				if len(before) != 3 || len(after) != 4 {
					t.Fatalf("cohort %v became %v after %v, want a replacement for %s", before, after, test.within, before[0])
				}
				close(open)
				last, weights := finish(t, n.Coordinator)
				if last.Phase != round.Completed || last.Counts.Accepted != 3 || last.Counts.Lost != 1 {
					t.Errorf("got %+v, want three updates, one lost", last)
				}
				if want := slices.Repeat([]float32{3}, 3); !slices.Equal(weights, want) {
					t.Errorf("got weights %v, want %v", weights, want)
				}
			})
		})
	}
}

func cohort(t *testing.T, n *node) []string {
	t.Helper()
	synctest.Wait()
	s, err := n.Status("run")
	if err != nil {
		t.Fatal(err)
	}
	return s.Cohort
}
