package exchange

import "github.com/accord-fl/accord/internal/fault"

// Protocol is the version of the conversation between coordinator and
// participant. Peers of different versions do not talk.
const Protocol = 1

// Hello is how a participant presents itself.
type Hello struct {
	Name         string       `json:"name"`
	Version      string       `json:"version"` // of its binary, for people
	Protocol     int          `json:"protocol"`
	Capabilities Capabilities `json:"capabilities"`
}

// Capabilities is what a participant says it can do.
type Capabilities struct {
	Trainer string `json:"trainer"` // "builtin" or "exec"
	Cores   int    `json:"cores"`
}

// Validate checks a hello that came from outside.
func (h Hello) Validate() error {
	if !ValidName(h.Name) {
		return fault.Inputf("hello: participant name %.80q is not valid: letters, digits, '.', '_' and '-', at most 64", h.Name)
	}
	if h.Protocol != Protocol {
		older := "the participant"
		if h.Protocol > Protocol {
			older = "the coordinator"
		}
		return fault.Inputf("hello: participant %s speaks protocol %d, the coordinator %d: upgrade %s", h.Name, h.Protocol, Protocol, older)
	}
	return nil
}
