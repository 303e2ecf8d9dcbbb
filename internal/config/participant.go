package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/accord-fl/accord/exchange"
)

// Who trains at a site.
const (
	TrainerBuiltin = "builtin" // Accord's own engine
	TrainerExec    = "exec"    // the site's own program, over files
)

// Participant configures `accord participant`.
type Participant struct {
	Name        string `yaml:"name"`               // of the site; keys its training randomness
	Coordinator string `yaml:"coordinator"`        // host:port to dial
	Identity    string `yaml:"identity,omitempty"` // folder of certificate, key and roots
	Insecure    bool   `yaml:"insecure,omitempty"` // talk without certificates, on loopback only
	// Federation is what this node belongs to without certificates; "": the one
	// named after its user. Nodes of two federations do not talk.
	Federation string `yaml:"federation,omitempty"`
	Data       Data   `yaml:"data"` // the training split is the site's private shard
	// Datasets are further data sets, by the names that runs ask for them by.
	Datasets map[string]Data `yaml:"datasets,omitempty"`
	Policy   Policy          `yaml:"policy,omitempty"`
	Dir      string          `yaml:"dir"`     // tasks under way and their artefacts; made when absent
	Trainer  string          `yaml:"trainer"` // builtin or exec
	Exec     Exec            `yaml:"exec,omitempty"`
	Threads  int             `yaml:"threads,omitempty"` // 0: one for each core
	LogLevel string          `yaml:"log_level"`         // debug, info, warn or error
	// Announce names data sets that the coordinator may know of. Nothing is
	// told that is not listed here, whatever Data and Datasets name.
	Announce []string `yaml:"announce,omitempty"`
	Gossip   Gossip   `yaml:"gossip,omitempty"`
}

// Exec is a program that trains or measures. It runs in a folder of its own. Of
// this process' environment it sees PATH, HOME, LANG and TMPDIR only.
type Exec struct {
	// Command is the program and its arguments, not a shell line. An argument
	// that starts with ./ or ../ is a path relative to the configuration file.
	Command     []string          `yaml:"command"`
	Timeout     time.Duration     `yaml:"timeout,omitempty"`     // a program that takes longer is killed
	Environment map[string]string `yaml:"environment,omitempty"` // beside those, and the folder's; it wins over them
}

// DefaultParticipant returns what an empty participant file means. It does not
// validate: a site must have a name and data.
func DefaultParticipant() Participant {
	return Participant{
		Coordinator: "127.0.0.1:7443",
		Dir:         "participant",
		Trainer:     TrainerBuiltin,
		Exec:        Exec{Timeout: 10 * time.Minute},
		Policy:      Policy{ShareSamples: true, ShareMetrics: true, Approve: ApproveAuto, MaxRepeats: 3},
		LogLevel:    "info",
	}
}

// LoadParticipant reads the file at path; errors are as those of Load.
func LoadParticipant(path string) (Participant, error) {
	cfg := DefaultParticipant()
	err := load(path, &cfg)
	return cfg, err
}

func (cfg *Participant) resolve(base string) error {
	cfg.Dir = under(base, cfg.Dir)
	cfg.Identity = under(base, cfg.Identity)
	cfg.Data.resolve(base)
	for name, data := range cfg.Datasets {
		data.resolve(base)
		cfg.Datasets[name] = data
	}
	cfg.Gossip.resolve(base)
	return cfg.Exec.resolve(base, "exec")
}

// resolve makes arguments that are paths independent of the working folder: the
// program runs in a folder of its own, where "./train.py" would mean another
// file.
func (e *Exec) resolve(base, path string) error {
	for i, arg := range e.Command {
		if !strings.HasPrefix(arg, "./") && !strings.HasPrefix(arg, "../") {
			continue
		}
		file, err := filepath.Abs(filepath.Join(base, arg))
		if err != nil {
			return fmt.Errorf("%s.command: %w", path, err)
		}
		e.Command[i] = file
	}
	return nil
}

// check notes what is wrong with the program at path.
func (e Exec) check(c *checker, path string) {
	c.require(len(e.Command) > 0 && e.Command[0] != "", path+".command", "want the program to run and its arguments")
	c.require(e.Timeout > 0, path+".timeout", "want a time above 0, got %v", e.Timeout)
}

// IsZero reports whether there is no program.
func (e Exec) IsZero() bool { return len(e.Command) == 0 && len(e.Environment) == 0 }

// Variables returns the environment as "KEY=value", sorted.
func (e Exec) Variables() []string {
	var env []string
	for key, value := range e.Environment {
		env = append(env, key+"="+value)
	}
	slices.Sort(env)
	return env
}

// PlainFederation is the federation that the node belongs to without
// certificates; "" with them.
func (cfg Participant) PlainFederation() string { return plainFederation(cfg.Federation, cfg.Identity) }

// Validate reports, as Problems, every field that makes no sense.
func (cfg Participant) Validate() error {
	var c checker
	c.require(exchange.ValidName(cfg.Name), "name", "%q cannot name a site: %s", cfg.Name, nameRule)
	c.address("coordinator", cfg.Coordinator)
	c.secured("coordinator", cfg.Coordinator, cfg.Identity, cfg.Insecure)
	c.federation(cfg.Federation, cfg.Identity)
	c.require(cfg.Dir != "", "dir", "want a folder for tasks and their artefacts")
	switch cfg.Trainer {
	case TrainerBuiltin:
		c.require(len(cfg.Exec.Command) == 0, "exec.command", "is never run: trainer is %s", TrainerBuiltin)
		cfg.Data.check(&c, "data.")
	case TrainerExec:
		cfg.Exec.check(&c, "exec")
		if cfg.Data != (Data{}) { // the program may know where its data are
			cfg.Data.check(&c, "data.")
		}
	default:
		c.require(false, "trainer", "%q is not known; want %s or %s", cfg.Trainer, TrainerBuiltin, TrainerExec)
	}
	for name, data := range cfg.Datasets {
		c.require(exchange.ValidName(name), "datasets."+name, "cannot name a data set: %s", nameRule)
		data.check(&c, "datasets."+name+".")
	}
	cfg.Policy.check(&c, "policy.")
	c.require(cfg.Threads >= 0, "threads", "want 1 or more, or 0 for one a core, got %d", cfg.Threads)
	c.logLevel(cfg.LogLevel)
	c.require(len(cfg.Announce) <= exchange.MaxDatasets, "announce", "%d names, at most %d", len(cfg.Announce), exchange.MaxDatasets)
	for _, name := range cfg.Announce {
		c.require(exchange.ValidName(name), "announce", "%q cannot name a data set: %s", name, nameRule)
	}
	cfg.Gossip.check(&c)
	return c.err()
}
