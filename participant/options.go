package participant

import (
	"context"
	"net"
	"runtime"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/gossip"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/wire"
	"github.com/accord-fl/accord/participant/policy"
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
	// Reserve is how much of Dir's disk stays free: what would take more is
	// declined for now.
	Reserve policy.Reserve
	// Space returns how many bytes are free on the disk of a folder, and how many
	// it has; nil: disk.Space.
	Space func(dir string) (free, size uint64, err error)
	// Disk is what the files in Dir are written through; nil: the operating
	// system's.
	Disk disk.Disk
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
		Reserve:      policy.DefaultReserve(),
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

// told is the hello of a participant with what its folder adds to it.
func (o Options) told() exchange.Hello {
	h := o.hello()
	if k, err := readKnown(o.Dir); err == nil && k != nil {
		h.Checkpoint = k.signed
	}
	return h
}

func (o Options) hello() exchange.Hello {
	features := exchange.Features()
	if o.Gossip != nil {
		features = append(features, exchange.FeatureGossip)
	}
	var roots []string
	if o.Credential != nil {
		features = append(features, exchange.FeatureRoots)
		roots = pki.Fingerprints(o.Credential.Roots())
	}
	return exchange.Hello{
		Name: o.Name, Version: o.Version, Protocol: exchange.Protocol, Oldest: exchange.Oldest,
		Features: features, Capabilities: o.Capabilities, Roots: roots, Federation: o.Federation,
	}
}
