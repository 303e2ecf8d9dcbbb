package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/exchange"
)

func TestFederationOf(t *testing.T) {
	for user, want := range map[string]string{
		"root": "root", `LAB\alice`: "alice", "john.doe@example.org": "john.doe-example.org", "мария": "local", "-x": "x", "": "local",
		strings.Repeat("a", 100): strings.Repeat("a", 64),
	} {
		if got := federationOf(user); got != want {
			t.Errorf("%q: got %q, want %q", user, got, want)
		}
	}
}

// Without certificates a node belongs to its user's federation unless told
// otherwise; with them the certificates say.
func TestPlainFederation(t *testing.T) {
	if got := (Coordinator{Insecure: true}).PlainFederation(); !exchange.ValidName(got) || got != (Participant{Insecure: true}).PlainFederation() {
		t.Errorf("by default: got %q", got)
	}
	if got := (Participant{Insecure: true, Federation: "heart"}).PlainFederation(); got != "heart" {
		t.Errorf("got %q, want heart", got)
	}
	if got := (Coordinator{Identity: "identity"}).PlainFederation(); got != "" {
		t.Errorf("with certificates: got %q", got)
	}
	for text, want := range map[string]string{
		"insecure: true\nfederation: a/b\n":       ":2: federation: \"a/b\" cannot name a federation",
		"identity: identity\nfederation: heart\n": ":2: federation: is for nodes without certificates",
	} {
		path := filepath.Join(t.TempDir(), "coordinator.yaml")
		write(t, path, text)
		_, err := LoadCoordinator(path)
		wantProblem(t, err, path+want)
	}
}
