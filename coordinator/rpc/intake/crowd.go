package intake

import (
	"container/list"
	"net/netip"
	"sync"
)

// Crowd bounds the connections of those who have not said who they are. One
// more than it has room for ends one of the address that has most: an address
// can crowd out itself, and nobody else. Its methods may be called concurrently.
type Crowd struct {
	room   int
	newest bool

	mu    sync.Mutex
	size  int
	hosts map[string]*list.List // of func(), what ends a connection; the oldest first
}

// NewCrowd returns one with room for so many connections, which ends the oldest:
// for those who are waited for, since who has something to say does so soon.
func NewCrowd(room int) *Crowd { return &Crowd{room: room, hosts: map[string]*list.List{}} }

// NewQueue returns one that ends the newest: for those who wait themselves, since
// the oldest are served next.
func NewQueue(room int) *Crowd {
	c := NewCrowd(room)
	c.newest = true
	return c
}

// Enter adds a connection from a host. end ends it; it is called at most once,
// and must not block. leave takes the connection out, and may be called again.
func (c *Crowd) Enter(host string, end func()) (leave func()) {
	host = Network(host)
	c.mu.Lock()
	if c.hosts[host] == nil {
		c.hosts[host] = list.New()
	}
	place := c.hosts[host].PushBack(end)
	c.size++
	var crowdedOut func()
	if c.size > c.room {
		crowdedOut = c.one()
	}
	c.mu.Unlock()
	if crowdedOut != nil {
		crowdedOut()
	}
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.remove(host, place)
	})
}

// one takes out a connection of the host that has most. mu is held.
func (c *Crowd) one() (end func()) {
	most := ""
	for host, all := range c.hosts {
		if most == "" || all.Len() > c.hosts[most].Len() {
			most = host
		}
	}
	place := c.hosts[most].Front()
	if c.newest {
		place = c.hosts[most].Back()
	}
	end, _ = place.Value.(func())
	c.remove(most, place)
	return end
}

// remove takes out a connection that is still there. mu is held.
func (c *Crowd) remove(host string, place *list.Element) {
	all := c.hosts[host]
	if place.Value == nil {
		return
	}
	all.Remove(place)
	place.Value = nil
	c.size--
	if all.Len() == 0 {
		delete(c.hosts, host)
	}
}

// End ends all connections.
func (c *Crowd) End() {
	c.mu.Lock()
	var ending []func()
	for c.size > 0 {
		ending = append(ending, c.one())
	}
	c.mu.Unlock()
	for _, end := range ending {
		end()
	}
}

// Size is how many connections there are.
func (c *Crowd) Size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

// siteBits is how much of an IPv6 address its holder does not choose.
const siteBits = 64

// Network is what stands for a host where limits are by address: the address, or
// for IPv6, where each customer has very many, the network that it is in.
func Network(host string) string {
	a, err := netip.ParseAddr(host)
	if err != nil || a.Unmap().Is4() {
		return host
	}
	if network, err := a.WithZone("").Prefix(siteBits); err == nil {
		return network.String()
	}
	return host
}
