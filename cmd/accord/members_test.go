package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/exchange"
)

// Two sites, one of which gossips with keys from the coordinator, are seen by
// all forms of the verb.
func TestMembersOfAFederation(t *testing.T) {
	dir := t.TempDir()
	shards := filepath.Join(dir, "shards")
	mustAccord(t, "data", "partition", "--sites", "2", "--samples-per-site", "10", "--test-samples", "10", "--out", shards)
	hub := filepath.Join(dir, "coordinator.yaml")
	writeFile(t, hub, "name: hub\nlisten: 127.0.0.1:0\ninsecure: true\ndir: coordinator\n"+
		"gossip: {bind: '127.0.0.1:0', keyring: hub.keys, share: true}\n")
	log := newLogBuffer(readyAddress)
	defer background(t, log, "coordinator", "-f", hub)()
	address := log.wait(t)
	for i, extra := range []string{"announce: [digits-a]\n", "gossip: {bind: '127.0.0.1:0', keyring: site.keys}\n"} {
		name := fmt.Sprintf("site-%02d", i+1)
		file := filepath.Join(dir, name+".yaml")
		writeFile(t, file, fmt.Sprintf("name: %s\ncoordinator: %s\ninsecure: true\ndir: %s\nthreads: 1\ndata: {dataset: %q}\n",
			name, address, name, "safetensors:"+filepath.Join(shards, name+".safetensors"))+extra)
		defer background(t, io.Discard, "participant", "-f", file)()
	}

	members := watchMembers(t, address, 3)
	for _, m := range members {
		if m.Capabilities.Cores < 1 || m.Capabilities.Memory < 1<<20 {
			t.Errorf("got %+v, want its cores and memory", m)
		}
		if m.Role == coordinator.RoleParticipant && (m.State != coordinator.Attending || m.Capabilities.SamplesPerSecond < 0 || m.Heard.IsZero()) {
			t.Errorf("got %+v, want one who attends", m)
		}
	}
	if d := members[1].Capabilities.Datasets; len(d) != 1 || d[0] != "digits-a" {
		t.Errorf("got data sets %v, want the one that is announced", d)
	}
	var listed struct{ Members []coordinator.Member }
	decode(t, mustAccord(t, "members", "--json", "--coordinator", address), &listed)
	if len(listed.Members) != 3 {
		t.Errorf("got %d members, want 3", len(listed.Members))
	}
	table := mustAccord(t, "members", "--coordinator", address)
	for _, want := range []string{"hub", "site-01", "site-02", "serving", "attending", "digits-a", "builtin"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
}

// watchMembers follows the members until there are n.
func watchMembers(t *testing.T, address string, n int) []coordinator.Member {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"members", "--watch", "--json", "--coordinator", address}, stdout, io.Discard)
		_ = stdout.Close()
	}()
	var seen struct{ Members []coordinator.Member }
	lines := bufio.NewScanner(out)
	for len(seen.Members) < n && lines.Scan() {
		if err := json.Unmarshal(lines.Bytes(), &seen); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	_ = out.Close()
	if c := <-code; c != exitInterrupted && c != exitFailure {
		t.Errorf("ended with exit code %d, want an interruption", c)
	}
	return seen.Members
}

func TestMembersTable(t *testing.T) {
	now := time.Unix(1e9, 0)
	members := []coordinator.Member{
		{Name: "athens", Role: coordinator.RoleParticipant, State: coordinator.Attending, Since: now.Add(-time.Hour), Heard: now.Add(-3 * time.Second),
			Run: "mnist", Round: 3, Load: 1, Version: "v1",
			Capabilities: exchange.Capabilities{Trainer: "builtin", Cores: 4, Memory: 8 << 30, SamplesPerSecond: 12345.6, Datasets: []string{"a", "b"}}},
		{Name: "berlin", Role: coordinator.RoleParticipant, State: coordinator.Away, Since: now.Add(-time.Minute), Heard: now.Add(-90 * time.Second), Version: "v1",
			Capabilities: exchange.Capabilities{Trainer: "exec", Cores: 2}},
	}
	var out strings.Builder
	if err := membersTable(members, now).Print(&out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"name role state since heard works on load trainer cores memory samples/s data sets version",
		"athens participant attending 1:00:00 0:03 mnist round 3 1 builtin 4 8.0 GiB 12,345 a b v1",
		"berlin participant away 1:00 1:30 exec 2 v1",
	}
	if len(got) != 4 || got[0] != want[0] || got[2] != want[1] || got[3] != want[2] {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestMemberChangesAreLines(t *testing.T) {
	var out strings.Builder
	last := map[string]string{}
	m := coordinator.Member{Name: "a", Role: coordinator.RoleParticipant, State: coordinator.Attending}
	for _, change := range []func(){func() {}, func() { m.Heard = time.Unix(1, 0) }, func() { m.Run, m.Round = "r", 2 }, func() { m.State, m.Gossip = coordinator.Away, "dead" }} {
		change()
		if err := printChanges(&out, last, []coordinator.Member{m}); err != nil {
			t.Fatal(err)
		}
	}
	const want = "participant a attending\nparticipant a attending, r round 2\nparticipant a away, gossip: dead, r round 2\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
