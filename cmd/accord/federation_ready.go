package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/term"
)

// How long a step of a rotation waits for sites that are about to be ready, how
// often it asks, and how long it waits for the coordinator each time.
const (
	readyWithin  = 15 * time.Second
	readyEvery   = time.Second
	answerWithin = 5 * time.Second
)

// readiness says what a site that attends lacks for a step; "": nothing.
type readiness func(coordinator.Member) string

// trustsRoot is the readiness of those who trust a root.
func trustsRoot(root *x509.Certificate) readiness {
	want := pki.Fingerprint(root)
	return func(m coordinator.Member) string {
		switch {
		case len(m.Roots) == 0:
			return "does not say what it trusts (version " + m.Version + ")"
		case !slices.Contains(m.Roots, want):
			return "does not trust the next root yet"
		}
		return ""
	}
}

// certifiedBelow is the readiness of those who trust a root, and have a
// certificate below it or of an authority of their own.
func certifiedBelow(root *x509.Certificate) readiness {
	trusts, want := trustsRoot(root), pki.Fingerprint(root)
	return func(m coordinator.Member) string {
		if lack := trusts(m); lack != "" {
			return lack
		}
		if m.Certified != "" && m.Certified != want {
			return "has no certificate below the next root yet"
		}
		return ""
	}
}

// ready refuses a step for which sites that attend are not ready, after a while,
// and lists how all sites stand.
func (r rotation) ready(ctx context.Context, step string, lacks readiness) error {
	if r.force {
		return nil
	}
	client, address, err := r.client()
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // nothing is lost with it
	limit := time.Now().Add(r.within)
	for {
		members, err := r.members(ctx, client)
		if err != nil {
			return fault.As(fault.Unavailable, fmt.Errorf("%s: the coordinator at %s does not say which sites are ready (%w): start it, or take the step all the same with --force", step, address, err))
		}
		waiting := unready(members, lacks)
		if len(waiting) == 0 || time.Now().After(limit) {
			if err := readyTable(members, lacks).Print(r.stdout); err != nil || len(waiting) == 0 {
				return err
			}
			return fault.Inputf("%s would shut out sites that attend and are not ready: %s; --force takes it all the same", step, strings.Join(waiting, ", "))
		}
		select {
		case <-time.After(readyEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// unready are the names of sites that attend and lack something.
func unready(members []coordinator.Member, lacks readiness) []string {
	var names []string
	for _, m := range members {
		if m.Role == coordinator.RoleParticipant && m.State == coordinator.Attending && lacks(m) != "" {
			names = append(names, m.Name)
		}
	}
	return names
}

// readyTable lists the sites that belong, and how they stand.
func readyTable(members []coordinator.Member, lacks readiness) term.Table {
	table := term.Table{Columns: []term.Column{{Title: "site"}, {Title: "state"}, {Title: "since"}, {Title: "ready"}}}
	for _, m := range members {
		if m.Role != coordinator.RoleParticipant {
			continue
		}
		stands := "not known while it is away"
		switch m.State {
		case coordinator.Attending:
			if stands = lacks(m); stands == "" {
				stands = "yes"
			}
		case coordinator.Away:
		default:
			continue // one that cannot attend
		}
		table.Rows = append(table.Rows, term.Row{Cells: []string{m.Name, string(m.State), ago(time.Now(), m.Since), stands}})
	}
	return table
}

// client calls the coordinator as the admin whose folder is here.
func (r rotation) client() (*rpc.Client, string, error) {
	federation, err := config.LoadFederation(r.adminDir())
	if err != nil {
		return nil, "", err
	}
	credential, err := pki.OpenCredential(r.adminDir())
	if err != nil {
		return nil, "", err
	}
	client, err := rpc.Dial(federation.Coordinator, credential)
	return client, federation.Coordinator, err
}

func (r rotation) members(ctx context.Context, client *rpc.Client) ([]coordinator.Member, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return client.Members(ctx)
}

// announce has the coordinator look at its files now: whoever asks for the
// members makes it do so. It looks by itself, a little later; so a coordinator that
// does not answer is no failure of a step that is done.
func (r rotation) announce(ctx context.Context) {
	client, _, err := r.client()
	if err != nil {
		return
	}
	_, err = r.members(ctx, client)
	_ = errors.Join(err, client.Close()) // as above
}
