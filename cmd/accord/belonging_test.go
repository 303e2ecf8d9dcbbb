package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/coordinator"
)

// Joining again keeps the site's file, and says so when other data are asked for.
func TestJoinAgain(t *testing.T) {
	f := startFederation(t)
	f.start()
	f.join("site-01")
	var again struct{ Site, Token, Expires string }
	decode(t, mustAccord(t, "invite", "site-01", f.identity, "--json"), &again)
	dir := filepath.Join(f.dir, "site-01")
	if r := accord(t, "participant", "join", again.Token, "--dir", dir, "--dataset", f.data("site-02")); r.code != exitInput || !strings.Contains(r.stderr, "names other data") {
		t.Errorf("other data: exit code %d\n%s", r.code, r.stderr)
	}
	mustAccord(t, "participant", "join", again.Token, "--dir", dir, "--dataset", f.data("site-01"))
	mustAccord(t, "participant", "join", again.Token, "--dir", dir)
}

// A second admin is made with the root, or asks for a signature where the root
// is elsewhere; all sites are listed for him, however they stand.
func TestSecondAdmin(t *testing.T) {
	f := startFederation(t)
	f.start()
	f.join("site-01")
	f.join("site-02")
	heart := filepath.Join(f.dir, "heart")
	mustAccord(t, "federation", "admin", "carol", heart)
	if r := accord(t, "federation", "admin", "carol", heart); r.code != exitExists {
		t.Errorf("twice: exit code %d", r.code)
	}
	carol := "--identity=" + filepath.Join(heart, "carol")
	mustAccord(t, "invite", "site-03", carol)
	mustAccord(t, "revoke", "site-02", carol)
	var listed struct{ Members []coordinator.Member }
	decode(t, mustAccord(t, "members", carol, "--json"), &listed)
	var got []string
	for _, m := range listed.Members {
		got = append(got, m.Name+" "+string(m.State))
	}
	if want := "site-01 away, site-02 revoked, site-03 invited"; strings.Join(got, ", ") != want {
		t.Errorf("members are %s, want %s", strings.Join(got, ", "), want)
	}
	if err := os.Rename(filepath.Join(heart, "ca"), filepath.Join(f.dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	mustAccord(t, "federation", "admin", "dave", heart)
	dave := filepath.Join(heart, "dave")
	if r := accord(t, "members", "--identity", dave); r.code != exitInput || !strings.Contains(r.stderr, "waits to be signed") {
		t.Errorf("before it is signed: exit code %d\n%s", r.code, r.stderr)
	}
	mustAccord(t, "ca", "sign", "--ca", filepath.Join(f.dir, "elsewhere"), filepath.Join(dave, "tls.csr"))
	mustAccord(t, "members", "--identity", dave)
}
