package config

import (
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/accord-fl/accord/exchange"
)

// Coordinator configures `accord coordinator`.
type Coordinator struct {
	Name     string `yaml:"name"`               // among coordinators
	Listen   string `yaml:"listen"`             // host:port that participants and the CLI dial
	Identity string `yaml:"identity,omitempty"` // folder of certificate, key, roots and issuer
	Insecure bool   `yaml:"insecure,omitempty"` // talk without certificates, on loopback only
	// Federation is what this node belongs to without certificates; "": the one
	// named after its user. Nodes of two federations do not talk.
	Federation string `yaml:"federation,omitempty"`
	Dir        string `yaml:"dir"` // journal and artefacts; made when absent
	// Test is the set whose test split measures every version; no dataset
	// publishes versions without an accuracy.
	Test Data `yaml:"test,omitempty"`
	// Evaluator is a program that measures the versions of runs whose network
	// is not known, and all versions when there is no test set.
	Evaluator Exec   `yaml:"evaluator,omitempty"`
	Threads   int    `yaml:"threads,omitempty"` // 0: one for each core
	MaxRuns   int    `yaml:"max_runs"`          // that go on at the same time; the others wait in order
	LogLevel  string `yaml:"log_level"`         // debug, info, warn or error
	Gossip    Hub    `yaml:"gossip,omitempty"`
}

// DefaultCoordinator returns what an empty coordinator file means. It does not
// validate: running without certificates must be asked for.
func DefaultCoordinator() Coordinator {
	return Coordinator{
		Name: "coordinator", Listen: "127.0.0.1:7443", Dir: "coordinator", MaxRuns: 4, LogLevel: "info",
		Evaluator: Exec{Timeout: 10 * time.Minute},
	}
}

// LoadCoordinator reads the file at path; errors are as those of Load.
func LoadCoordinator(path string) (Coordinator, error) {
	cfg := DefaultCoordinator()
	err := load(path, &cfg)
	return cfg, err
}

func (cfg *Coordinator) resolve(base string) error {
	cfg.Dir = under(base, cfg.Dir)
	cfg.Identity = under(base, cfg.Identity)
	cfg.Test.resolve(base)
	cfg.Gossip.resolve(base)
	return cfg.Evaluator.resolve(base, "evaluator")
}

// PlainFederation is the federation that the node belongs to without
// certificates; "" with them.
func (cfg Coordinator) PlainFederation() string { return plainFederation(cfg.Federation, cfg.Identity) }

// Validate reports, as Problems, every field that makes no sense.
func (cfg Coordinator) Validate() error {
	var c checker
	c.address("listen", cfg.Listen)
	c.secured("listen", cfg.Listen, cfg.Identity, cfg.Insecure)
	c.federation(cfg.Federation, cfg.Identity)
	c.require(exchange.ValidName(cfg.Name), "name", "%q cannot name a coordinator: %s", cfg.Name, nameRule)
	c.require(cfg.Dir != "", "dir", "want a folder for journal and artefacts")
	if cfg.Test != (Data{}) {
		cfg.Test.check(&c, "test.")
	}
	if !cfg.Evaluator.IsZero() {
		cfg.Evaluator.check(&c, "evaluator")
	}
	c.require(cfg.Threads >= 0, "threads", "want 1 or more, or 0 for one a core, got %d", cfg.Threads)
	c.require(cfg.MaxRuns >= 1, "max_runs", "want 1 or more, got %d", cfg.MaxRuns)
	c.logLevel(cfg.LogLevel)
	cfg.Gossip.check(&c)
	return c.err()
}

// address notes what is wrong with the host:port at path.
func (c *checker) address(path, address string) {
	_, port, err := net.SplitHostPort(address)
	_, portErr := strconv.ParseUint(port, 10, 16)
	c.require(err == nil && portErr == nil, path, "want host:port, such as 127.0.0.1:7443, got %q", address)
}

// secured notes a connection that has neither certificates nor the right to do
// without: only loopback may, and only when asked for.
func (c *checker) secured(path, address, identity string, insecure bool) {
	switch {
	case identity != "" && insecure:
		c.require(false, "insecure", "is false with an identity: choose one of them")
	case identity == "":
		c.require(insecure, "identity", "want the folder of this node's certificate, which accord federation init and "+
			"accord participant join make; insecure: true does without, on loopback only")
		if host, _, err := net.SplitHostPort(address); err == nil && insecure {
			c.require(isLoopback(host), path, "%s is not a loopback address; without certificates only loopback may be used", address)
		}
	}
}

// isLoopback reports whether host is this machine by name or number.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// logLevel notes a level that is not known.
func (c *checker) logLevel(level string) {
	switch level {
	case "debug", "info", "warn", "error":
	default:
		c.require(false, "log_level", "%q is not known; want debug, info, warn or error", level)
	}
}
