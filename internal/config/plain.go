package config

import (
	"os/user"
	"strings"

	"github.com/accord-fl/accord/exchange"
)

// plainFederation is the federation that a node without certificates belongs to:
// the configured one, or else one that is named after the user who runs it, so
// that nodes of two users of one machine do not meet by accident.
func plainFederation(configured, identity string) string {
	switch {
	case identity != "": // the certificates name it
		return ""
	case configured != "":
		return configured
	}
	u, err := user.Current()
	if err != nil {
		return nobodysFederation
	}
	return federationOf(u.Username)
}

// nobodysFederation is that of a user whose name is not known.
const nobodysFederation = "local"

// federationOf makes a name of a user's, on Windows without the domain's.
func federationOf(user string) string {
	user = user[strings.LastIndexByte(user, '\\')+1:]
	name := strings.Map(func(r rune) rune {
		if exchange.ValidName("a" + string(r)) {
			return r
		}
		return '-'
	}, user)
	name = strings.TrimLeft(name[:min(len(name), 64)], "-._")
	if !exchange.ValidName(name) {
		return nobodysFederation
	}
	return name
}

// federation notes what is wrong with the federation of a node.
func (c *checker) federation(name, identity string) {
	if name == "" {
		return
	}
	c.require(identity == "", "federation", "is for nodes without certificates: those of this node name its federation")
	c.require(exchange.ValidName(name), "federation", "%q cannot name a federation: %s", name, nameRule)
}
