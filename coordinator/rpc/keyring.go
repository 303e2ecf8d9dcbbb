package rpc

import (
	"github.com/accord-fl/accord/exchange"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// Keyring holds the keys of gossip. Its method is called concurrently.
type Keyring interface {
	// Keys returns the ring, and what is closed once it is another.
	Keys() (keys [][]byte, changed <-chan struct{})
}

// handKeys gives a participant that gossips, and still belongs, the keys, and
// returns what is closed once there are others.
func (a *attendance) handKeys() (changed <-chan struct{}) {
	if a.options.Keyring == nil || !a.link.Hello().Has(exchange.FeatureGossip) {
		return nil
	}
	if s := a.options.Security; s != nil {
		if c := callerOf(a.stream.Context()); s.Registry.Admit(c.identity, c.key) != nil {
			return nil // the connection is about to be closed
		}
	}
	keys, changed := a.options.Keyring.Keys()
	a.link.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Keyring{Keyring: &accordv1.Keyring{Keys: keys}}})
	return changed
}
