package participant

import (
	"context"
	"net"
	"runtime"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/gossip"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/wire"
)

// Options of Run.
type Options struct {
	Name        string // of the site, unique in the federation
	Coordinator string // host:port
	// Credential is who the site is; nil: nobody, which Insecure must allow.
	Credential *pki.Credential
	// Insecure allows a connection without certificates, to a loopback
	// address only.
	Insecure bool
	// Federation is where a site without a credential belongs; a coordinator of
	// another is not attended. "": none.
	Federation string
	// Dir holds what must survive a restart: finished updates that the
	// coordinator has not acknowledged. It has one owner at a time.
	Dir          string
	Version      string // of the binary, for people
	Capabilities exchange.Capabilities
	Policy       Policy // what the site allows; nil: whatever is asked
	// Gossip, when set, tells other nodes what this participant does; Changed
	// in it is not needed.
	Gossip *gossip.Options
	// Dial, when set, opens connections in place of the system's dialer.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
}

// DefaultOptions returns options that lack a name, a coordinator and a folder.
func DefaultOptions() Options {
	return Options{
		Version:      "devel",
		Capabilities: exchange.Capabilities{Trainer: "builtin", Cores: runtime.NumCPU()},
	}
}

// Validate reports the first field that makes no sense. It changes nothing.
func (o Options) Validate() error {
	if err := o.hello().Validate(); err != nil {
		return err
	}
	if o.Dir == "" {
		return fault.Inputf("participant %s: dir: want a folder for unacknowledged updates", o.Name)
	}
	if o.Credential != nil {
		return nil
	}
	return wire.CheckPlain(o.Coordinator, o.Insecure)
}

func (o Options) hello() exchange.Hello {
	features := exchange.Features()
	if o.Gossip != nil {
		features = append(features, exchange.FeatureGossip)
	}
	return exchange.Hello{
		Name: o.Name, Version: o.Version, Protocol: exchange.Protocol, Oldest: exchange.Oldest,
		Features: features, Capabilities: o.Capabilities, Federation: o.Federation,
	}
}
