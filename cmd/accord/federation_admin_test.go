package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/accord-fl/accord/coordinator"
)

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
