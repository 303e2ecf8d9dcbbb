package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/participant"
)

// opened listens as a firewall does that opens TLS: with a certificate of its
// own for the coordinator's host.
func opened(t *testing.T) (address string) {
	t.Helper()
	root, err := pki.NewRoot("firewall", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return presents(t, root, "127.0.0.1", time.Hour)
}

// presents listens with a certificate of a root as a coordinator at host.
func presents(t *testing.T, root *pki.Authority, host string, lifetime time.Duration) (address string) {
	t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	chain, err := root.Certify(pki.Identity{Federation: root.Federation, Role: pki.Coordinator, Name: "c"}, key.Public(), []string{host}, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	cert := tls.Certificate{PrivateKey: key}
	for _, c := range chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = conn.(*tls.Conn).Handshake(); _ = conn.Close() }()
		}
	}()
	return l.Addr().String()
}

func TestDoctor(t *testing.T) {
	f := startFederation(t)
	f.start()
	_, file := f.join("site-01")
	f.join("site-02")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	good := string(text)
	nobody := freeAddress(t)
	firewall := opened(t)
	ca := filepath.Join(f.dir, "heart", "ca")
	root, err := pki.LoadAuthority(filepath.Join(ca, rootCert), filepath.Join(ca, rootKey))
	if err != nil {
		t.Fatal(err)
	}
	ended, elsewhere := presents(t, root, "127.0.0.1", -time.Minute), presents(t, root, "coordinator.example", time.Hour)
	identity := filepath.Join(filepath.Dir(file), "identity")
	lacking, open := filepath.Join(t.TempDir(), "identity"), filepath.Join(t.TempDir(), "identity")
	for _, dir := range []string{lacking, open} {
		if err := os.CopyFS(dir, os.DirFS(identity)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Remove(filepath.Join(lacking, pki.RootsFile)), os.Chmod(filepath.Join(open, pki.KeyFile), 0o644)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		old, new string
		check    string // that must fail
		want     string // in its detail or advice
	}{
		"as it should be":       {"", "", "", ""},
		"nobody is there":       {f.address, nobody, "coordinator", "is the coordinator running"},
		"a firewall opens TLS":  {f.address, firewall, "coordinator", "opens TLS"},
		"a clock that is wrong": {f.address, ended, "coordinator", "set this machine's clock"},
		"another host":          {f.address, elsewhere, "coordinator", "a name that its certificate has"},
		"another site's name":   {"name: site-01", "name: site-02", "certificate", "set name to site-01"},
		"no identity":           {"identity: identity", "identity: nowhere", "certificate", "join with a token"},
		"data that are gone":    {"site-01.safetensors", "site-99.safetensors", "data", "site-99"},
		"an admin's identity":   {"identity: identity", "identity: " + filepath.Join(f.dir, "heart", "admin"), "certificate", "own identity folder"},
		"a host without a name": {f.address, "no-such-host.invalid:7443", "name", "HTTPS_PROXY"},
		"a folder that lacks":   {"identity: identity", "identity: " + lacking, "certificate", "from a backup"},
		"a key for everybody":   {"identity: identity", "identity: " + open, "certificate", "chmod 600"},
		"not looked at":         {"identity: identity", "identity: nowhere", "coordinator", "not looked at"},
	} {
		writeFile(t, file, strings.Replace(good, c.old, c.new, 1))
		r := accord(t, "doctor", "-f", file, "--json")
		if want := c.check == ""; want != (r.code == exitOK) || !want && r.code != exitInput {
			t.Errorf("%s: exit code %d\n%s%s", name, r.code, r.stdout, r.stderr)
		}
		for line := range strings.Lines(r.stdout) {
			var found participant.Finding
			if err := json.Unmarshal([]byte(line), &found); err != nil {
				t.Fatalf("%s: %v in %q", name, err, line)
			}
			if found.OK {
				continue
			}
			if found.Check == c.check && strings.Contains(found.Detail+found.Advice, c.want) {
				c.check = ""
			} else if found.Advice == "" {
				t.Errorf("%s: no advice in %+v", name, found)
			}
		}
		if c.check != "" {
			t.Errorf("%s: no failed check of %s with %q in\n%s", name, c.check, c.want, r.stdout)
		}
	}
	writeFile(t, file, good)
	mustAccord(t, "revoke", "site-01", "--reason", "a test", f.identity)
	if r := accord(t, "doctor", "-f", file); r.code != exitInput || !strings.Contains(r.stdout, "was revoked: a test") {
		t.Errorf("a revoked site: exit code %d\n%s", r.code, r.stdout)
	}
}

func TestQuickstart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "try")
	out := mustAccord(t, "quickstart", "--sites", "2", "--rounds", "1", "--keep", dir)
	if !strings.Contains(out, "complete: 2 updates accepted") || !strings.Contains(out, "accord") {
		t.Errorf("printed\n%s", out)
	}
	mustAccord(t, "model", "show", filepath.Join(dir, "federation", "coordinator", "state", "runs", "quickstart", "model.safetensors"))
	if r := accord(t, "quickstart", "--keep", dir); r.code != exitExists {
		t.Errorf("a folder that is there: exit code %d", r.code)
	}
}
