package exchange

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/quote"
	"github.com/accord-fl/accord/internal/spool"
)

// Protocol is the newest version of the conversation between coordinator and
// participant that this binary speaks, Oldest the oldest that it still does.
// Two peers talk in the newest version that both speak.
const (
	Protocol = 1
	Oldest   = 1
)

// The features: what can be done beyond the protocol version when both sides
// tell that they do it.
const (
	FeatureLoad   = "load"   // renewals tell the participant's load
	FeatureGossip = "gossip" // the coordinator hands out the keys of gossip
	FeatureTurns  = "turns"  // the coordinator says when a large upload may begin
	FeatureRoots  = "roots"  // the coordinator sends the roots to trust whenever they change
)

// Features names what this binary always does. Each side tells its own; one
// that the other does not know is not used.
func Features() []string { return []string{FeatureLoad} }

// TurnAbove is the size of an artefact, in bytes, from which on its upload waits
// for its turn: until the response's header is there.
const TurnAbove = 1 << 20

// Bounds of a hello.
const (
	MaxDatasets = 16
	maxFeatures = 64
	MaxVersion  = 256 // bytes of what a binary says of its version
	// MaxCheckpoint bounds, in bytes, a signed checkpoint of a journal.
	MaxCheckpoint = 2048
	maxRoots      = 16
)

// Hello is how a participant presents itself.
type Hello struct {
	Name         string       `json:"name"`
	Version      string       `json:"version"`          // of its binary, for people
	Protocol     int          `json:"protocol"`         // the newest that it speaks
	Oldest       int          `json:"oldest,omitempty"` // that it still speaks; 0: Protocol alone
	Features     []string     `json:"features,omitempty"`
	Capabilities Capabilities `json:"capabilities"`
	// Process is random and stays the same for as long as the participant's
	// process lives; "" from one that does not know of it.
	Process string    `json:"process,omitempty"`
	Now     time.Time `json:"now,omitzero"` // the participant's clock
	// Checkpoint is the newest one of the coordinator's journal that the
	// participant has kept, a signed note; nil: none.
	Checkpoint []byte `json:"checkpoint,omitempty"`
	// Federation is where a participant without certificates belongs.
	Federation string   `json:"federation,omitempty"`
	Roots      []string `json:"roots,omitempty"` // fingerprints of those that it trusts
}

// Capabilities is what a participant says it can do. What is 0 it does not
// know or does not tell.
type Capabilities struct {
	Trainer string `json:"trainer"` // "builtin" or "exec"
	Cores   int    `json:"cores"`
	Memory  int64  `json:"memory,omitempty"` // bytes that its process may use
	// SamplesPerSecond is the pace of the built-in engine with the reference
	// network, from a short calibration.
	SamplesPerSecond float64 `json:"samples_per_second,omitempty"`
	// Datasets are names that the site wants to be known for, no more.
	Datasets []string `json:"datasets,omitempty"`
}

// Has reports whether the peer that said h announced a feature.
func (h Hello) Has(feature string) bool { return slices.Contains(h.Features, feature) }

// Validate checks a hello that came from outside.
func (h Hello) Validate() error {
	if !ValidName(h.Name) {
		return fault.Inputf("hello: participant name %.80q is not valid: letters, digits, '.', '_' and '-', at most 64", h.Name)
	}
	if len(h.Version) > MaxVersion {
		return fault.Inputf("hello of %s: a version of %d bytes, at most %d", h.Name, len(h.Version), MaxVersion)
	}
	if len(h.Features) > maxFeatures || slices.ContainsFunc(h.Features, func(f string) bool { return len(f) > 64 }) {
		return fault.Inputf("hello of %s: more than %d features, or one whose name is too long", h.Name, maxFeatures)
	}
	switch {
	case len(h.Process) > 64:
		return fault.Inputf("hello of %s: a process id of %d bytes, at most 64", h.Name, len(h.Process))
	case len(h.Checkpoint) > MaxCheckpoint:
		return fault.Inputf("hello of %s: a checkpoint of %d bytes, at most %d", h.Name, len(h.Checkpoint), MaxCheckpoint)
	case h.Federation != "" && !ValidName(h.Federation):
		return fault.Inputf("hello of %s: federation name %.80q is not valid", h.Name, h.Federation)
	case len(h.Roots) > maxRoots || slices.ContainsFunc(h.Roots, func(f string) bool { return !spool.ValidDigest(f) }):
		return fault.Inputf("hello of %s: more than %d roots, or one that is not a fingerprint", h.Name, maxRoots)
	}
	if err := h.checkTexts(); err != nil {
		return err
	}
	if _, err := h.Agree(); err != nil {
		return err
	}
	if err := h.Capabilities.Validate(); err != nil {
		return fmt.Errorf("hello of %s: %w", h.Name, err)
	}
	return nil
}

// checkTexts refuses texts that could be taken for something else where they are
// shown.
func (h Hello) checkTexts() error {
	of := "hello of " + h.Name + ": "
	err := errors.Join(quote.Check(of+"version", h.Version), quote.Check(of+"process id", h.Process))
	for _, feature := range h.Features {
		err = errors.Join(err, quote.Check(of+"feature", feature))
	}
	return err
}

// Agree returns the version to talk in with whoever said h. That there is
// none is an error of class fault.Input that says who must upgrade to what.
func (h Hello) Agree() (int, error) {
	oldest := h.Oldest
	if oldest == 0 {
		oldest = h.Protocol
	}
	switch {
	case h.Protocol < Oldest:
		return 0, fault.Inputf("hello: participant %s speaks protocol %s, the coordinator %s: upgrade the participant, to a version that speaks %d",
			h.Name, Span(oldest, h.Protocol), Span(Oldest, Protocol), Protocol)
	case oldest > Protocol:
		return 0, fault.Inputf("hello: participant %s speaks protocol %s, the coordinator %s: upgrade the coordinator, to a version that speaks %d",
			h.Name, Span(oldest, h.Protocol), Span(Oldest, Protocol), oldest)
	case oldest < 1 || oldest > h.Protocol:
		return 0, fault.Inputf("hello: participant %s claims to speak protocols %d to %d", h.Name, oldest, h.Protocol)
	}
	return min(h.Protocol, Protocol), nil
}

// Span writes a range of protocol versions: "2", or "1 to 3".
func Span(oldest, newest int) string {
	if oldest == newest {
		return fmt.Sprint(newest)
	}
	return fmt.Sprintf("%d to %d", oldest, newest)
}

// Validate checks capabilities that came from outside. What a participant
// says of itself is not proven by it.
func (c Capabilities) Validate() error {
	switch {
	case len(c.Trainer) > 64:
		return fault.Inputf("the trainer's name %.64q is too long", c.Trainer)
	case c.Cores < 0 || c.Memory < 0:
		return fault.Inputf("capabilities: negative cores (%d) or memory (%d)", c.Cores, c.Memory)
	case !(c.SamplesPerSecond >= 0) || math.IsInf(c.SamplesPerSecond, 0):
		return fault.Inputf("capabilities: %v samples a second", c.SamplesPerSecond)
	case len(c.Datasets) > MaxDatasets:
		return fault.Inputf("capabilities: %d data sets, at most %d", len(c.Datasets), MaxDatasets)
	}
	if err := quote.Check("the trainer's name", c.Trainer); err != nil {
		return err
	}
	for _, name := range c.Datasets {
		if !ValidName(name) {
			return fault.Inputf("capabilities: %.80q cannot name a data set", name)
		}
	}
	return nil
}
