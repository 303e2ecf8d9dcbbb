package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/report"
)

// freeAddress is one that a coordinator may listen at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// federation is one with certificates, whose coordinator runs.
type federation struct {
	t                    *testing.T
	dir, shards, address string
	identity             string // flag of an admin's commands
	stop                 func()
}

func startFederation(t *testing.T, init ...string) *federation {
	t.Helper()
	dir := t.TempDir()
	f := &federation{t: t, dir: dir, shards: filepath.Join(dir, "shards"), address: freeAddress(t), identity: "--identity=" + filepath.Join(dir, "heart", "admin")}
	mustAccord(t, "data", "partition", "--sites", "3", "--samples-per-site", "20", "--test-samples", "50", "--seed", "3", "--out", f.shards)
	mustAccord(t, append([]string{"federation", "init", filepath.Join(dir, "heart"), "--address", f.address}, init...)...)
	return f
}

func (f *federation) start() {
	f.t.Helper()
	file := filepath.Join(f.dir, "heart", "coordinator", "coordinator.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		f.t.Fatal(err)
	}
	test := fmt.Sprintf("test: {dataset: %q}\n", "safetensors:"+filepath.Join(f.shards, "test.safetensors"))
	if !strings.Contains(string(text), test) {
		writeFile(f.t, file, string(text)+test)
	}
	log := newLogBuffer(readyAddress)
	f.stop = background(f.t, log, "coordinator", "-f", file)
	f.t.Cleanup(f.stop)
	log.wait(f.t)
}

// join invites a site and lets it join; it returns its token and configuration.
func (f *federation) join(site string) (token, file string) {
	f.t.Helper()
	var invitation struct{ Site, Token, Expires string }
	decode(f.t, mustAccord(f.t, "invite", site, f.identity, "--json"), &invitation)
	dir := filepath.Join(f.dir, site)
	mustAccord(f.t, "participant", "join", invitation.Token, "--dir", dir, "--dataset", f.data(site))
	return invitation.Token, filepath.Join(dir, "participant.yaml")
}

func (f *federation) data(site string) string {
	return "safetensors:" + filepath.Join(f.shards, site+".safetensors")
}

// With certificates a run ends with the very model that a simulation gives, a
// site is added by one command while the coordinator runs, and a restart knows
// who belongs.
func TestFederationWithCertificates(t *testing.T) {
	f := startFederation(t)
	runFile := filepath.Join(f.dir, "run.yaml")
	writeFile(t, runFile, federationRun)
	mustAccord(t, "simulate", "-f", runFile, "--out", filepath.Join(f.dir, "simulated"))
	want, err := report.ReadModel(filepath.Join(f.dir, "simulated", report.CardFile))
	if err != nil {
		t.Fatal(err)
	}
	f.start()
	mustAccord(t, "run", "submit", "-f", runFile, f.identity)
	for i := range 3 {
		_, file := f.join(fmt.Sprintf("site-%02d", i+1))
		if i == 1 {
			f.stop()
			f.start()
		}
		defer background(t, io.Discard, "participant", "-f", file)()
	}
	mustAccord(t, "run", "watch", "demo", f.identity)
	root, err := pki.ReadCerts(filepath.Join(f.dir, "heart", "ca", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	site := filepath.Join(f.dir, "site-01", "participant.yaml")
	if out := mustAccord(t, "participant", "inspect", "demo", "-f", site); !strings.Contains(out, pki.Fingerprint(root[0])) {
		t.Errorf("inspect shows:\n%s\nwant the root that the site says it trusts", out)
	}
	got, err := report.ReadModel(filepath.Join(f.dir, "heart", "coordinator", "state", "runs", "demo", report.CardFile))
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest != want.Digest {
		t.Errorf("got model %.12s, simulated %.12s", got.Digest, want.Digest)
	}
}

// Whoever does not belong is told so, in the class of bad input, and leaves
// nothing behind.
func TestWhoDoesNotBelongIsRefused(t *testing.T) {
	f := startFederation(t)
	f.start()
	token, file := f.join("site-01")
	again := filepath.Join(f.dir, "again")
	var fresh struct{ Site, Token, Expires string }
	decode(t, mustAccord(t, "invite", "site-02", f.identity, "--json"), &fresh)
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"a replayed token":        {[]string{"participant", "join", token, "--dir", again, "--dataset", f.data("site-01")}, exitInput, "the token is not valid here"},
		"data that are not there": {[]string{"participant", "join", fresh.Token, "--dir", filepath.Join(f.dir, "x"), "--dataset", f.data("site-99")}, exitInput, "site-99"},
		"no data":                 {[]string{"participant", "join", fresh.Token, "--dir", filepath.Join(f.dir, "x")}, exitUsage, "--dataset"},
		"half a token":            {[]string{"participant", "join", token[:30]}, exitInput, "copy the whole"},
		"no identity":             {[]string{"run", "list", "--coordinator", f.address}, exitUnavailable, "--identity"},
		"a site as an admin":      {[]string{"run", "list", "--coordinator", f.address, "--identity", filepath.Join(f.dir, "site-01", "identity")}, exitInput, "may not call"},
		"no such site":            {[]string{"revoke", "site-77", f.identity}, exitInput, "no site"},
		"a second federation":     {[]string{"federation", "init", filepath.Join(f.dir, "heart")}, exitExists, "new folder"},
	} {
		r := accord(t, c.args...)
		if r.code != c.code || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%s: exit code %d, want %d and %q\n%s", name, r.code, c.code, c.want, r.stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(f.dir, "x")); err == nil {
		t.Error("a failed join left a folder")
	}
	mustAccord(t, "participant", "join", fresh.Token, "--dir", filepath.Join(f.dir, "site-02"), "--dataset", f.data("site-02"))

	mustAccord(t, "leave", "-f", filepath.Join(f.dir, "site-02", "participant.yaml"))
	if r := accord(t, "participant", "-f", filepath.Join(f.dir, "site-02", "participant.yaml")); r.code != exitInput || !strings.Contains(r.stderr, "has left") {
		t.Errorf("after it left: exit code %d\n%s", r.code, r.stderr)
	}
	attending := newLogBuffer(regexp.MustCompile(`"event":"(attending)"`))
	code := make(chan result, 1)
	go func() { code <- attendUntilRefused(t, file, attending) }()
	attending.wait(t)
	mustAccord(t, "revoke", "site-01", "--reason", "laptop stolen", f.identity)
	if r := <-code; r.code != exitInput || !strings.Contains(r.stderr, "was revoked: laptop stolen") {
		t.Errorf("a revoked participant: exit code %d\n%s", r.code, r.stderr)
	}
	if refused := mustAccord(t, "federation", "refusals", f.identity); !strings.Contains(refused, "revoked") || !strings.Contains(refused, "token") {
		t.Errorf("refusals:\n%s", refused)
	}
}

// refusedForNow starts a participant and waits until it is refused for a reason
// that may pass.
func (f *federation) refusedForNow(file, reason string) {
	f.t.Helper()
	refused := newLogBuffer(regexp.MustCompile(`(the coordinator refuses this site for now).*` + reason))
	stop := background(f.t, refused, "participant", "-f", file)
	refused.wait(f.t)
	stop()
}

// attends starts a participant, and returns once it attends.
func (f *federation) attends(file string) (stop func()) {
	f.t.Helper()
	attending := newLogBuffer(regexp.MustCompile(`"event":"(attending)"`))
	stop = background(f.t, attending, "participant", "-f", file)
	attending.wait(f.t)
	return stop
}

func attendUntilRefused(t *testing.T, file string, log *logBuffer) result {
	code := run(t.Context(), []string{"participant", "-f", file}, io.Discard, log)
	log.mu.Lock()
	defer log.mu.Unlock()
	return result{code: code, stderr: log.text.String()}
}

// The root's key never comes near the coordinator.
func TestAuthorityElsewhere(t *testing.T) {
	f := startFederation(t, "--ca-elsewhere")
	ca := filepath.Join(f.dir, "vault")
	mustAccord(t, "ca", "init", ca, "--name", "heart")
	identity, admin := filepath.Join(f.dir, "heart", "coordinator", "identity"), filepath.Join(f.dir, "heart", "admin")
	signed := mustAccord(t, "ca", "sign", "--ca", ca, filepath.Join(identity, "issuer.csr"), filepath.Join(identity, "tls.csr"), filepath.Join(admin, "tls.csr"))
	for _, want := range []string{"spiffe://heart/issuer/issuer", "spiffe://heart/coordinator/coordinator at 127.0.0.1", "spiffe://heart/admin/admin"} {
		if !strings.Contains(signed, want) {
			t.Errorf("ca sign printed\n%s\nwant %q", signed, want)
		}
	}
	root, err := os.ReadFile(filepath.Join(ca, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(identity, "ca.crt"), string(root))
	writeFile(t, filepath.Join(admin, "ca.crt"), string(root))
	f.start()
	f.join("site-01")
	if r := accord(t, "ca", "sign", "--ca", ca, filepath.Join(identity, "tls.crt")); r.code != exitInput {
		t.Errorf("a certificate was signed as a request: exit code %d", r.code)
	}
}

// A hospital with an authority of its own, made with openssl, takes part.
func TestInstitutionWithOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not here")
	}
	f := startFederation(t)
	f.start()
	dir := filepath.Join(f.dir, "own")
	identity := filepath.Join(dir, "identity")
	if err := os.MkdirAll(identity, 0o700); err != nil {
		t.Fatal(err)
	}
	openssl := func(args ...string) {
		t.Helper()
		cmd := exec.Command("openssl", args...)
		cmd.Dir = identity
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Hospital CA", "-days", "2", "-keyout", "own-ca.key", "-out", "own-ca.crt")
	openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/O=Hospital/CN=site-01", "-keyout", "tls.key", "-out", "tls.csr")
	writeFile(t, filepath.Join(identity, "ext"), "extendedKeyUsage=clientAuth\n")
	openssl("x509", "-req", "-in", "tls.csr", "-CA", "own-ca.crt", "-CAkey", "own-ca.key", "-CAcreateserial", "-days", "1", "-extfile", "ext", "-out", "tls.crt")
	root, err := os.ReadFile(filepath.Join(f.dir, "heart", "admin", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(identity, "ca.crt"), string(root))
	if err := errors.Join(os.Chmod(filepath.Join(identity, "tls.key"), 0o600)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "participant.yaml")
	writeFile(t, file, fmt.Sprintf("name: site-01\ncoordinator: %s\nidentity: identity\ndir: state\ndata: {dataset: %q}\n", f.address, f.data("site-01")))
	f.refusedForNow(file, "not of this federation")
	mustAccord(t, "trust", "site-01", "--ca-cert", filepath.Join(identity, "own-ca.crt"), f.identity)
	f.attends(file)()
}

// Whoever follows a run follows it on when the coordinator is started again.
func TestWatchOutlivesARestart(t *testing.T) {
	f := startFederation(t)
	runFile := filepath.Join(f.dir, "run.yaml")
	writeFile(t, runFile, strings.Replace(federationRun, "min_sites: 3", "min_sites: 1", 1))
	f.start()
	_, site := f.join("site-01")
	mustAccord(t, "run", "submit", "-f", runFile, f.identity)
	seen, code := newLogBuffer(regexp.MustCompile(`"name":"(demo)"`)), make(chan int, 1)
	go func() {
		code <- run(t.Context(), []string{"run", "watch", "demo", "--json", f.identity}, seen, io.Discard)
	}()
	seen.wait(t)
	f.stop()
	f.start()
	defer background(t, io.Discard, "participant", "-f", site)()
	if c := <-code; c != exitOK {
		t.Errorf("exit code %d", c)
	}
}

// A step that was interrupted is run again, and no site is left with roots that it
// was not told of.
func TestRotationIsRunAgain(t *testing.T) {
	f := startFederation(t)
	heart := filepath.Join(f.dir, "heart")
	ca := func(file string) string { return filepath.Join(heart, "ca", file) }
	coordinator, admin := filepath.Join(heart, "coordinator", "identity", "ca.crt"), filepath.Join(heart, "admin", "ca.crt")
	step := func(code int, args ...string) {
		t.Helper()
		if len(args) > 1 { // nobody runs who could be asked
			args = append(args, "--force")
		}
		if r := accord(t, append(append([]string{"federation", "rotate"}, args...), heart)...); r.code != code {
			t.Fatalf("%v: exit code %d, want %d\n%s", args, r.code, code, r.stderr)
		}
	}
	read := func(file string) string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	old := read(ca("ca.crt"))

	// Before anybody was told: the day until the switch has not begun.
	step(exitOK, "begin")
	unknown := read(ca("next.crt"))
	writeFile(t, coordinator, old)
	writeFile(t, admin, old)
	writeFile(t, ca(".next.key.1.tmp"), "a key")
	step(exitInput, "switch", "--now")
	step(exitOK, "begin")
	next := read(ca("next.crt"))
	if next == unknown || read(coordinator) != next+old || read(admin) != next+old {
		t.Error("a root that nobody was told of is not replaced, or not trusted")
	}
	if _, err := os.Stat(ca(".next.key.1.tmp")); err == nil {
		t.Error("a key is left behind")
	}
	// The coordinator knew: sites may have been told.
	writeFile(t, admin, old)
	step(exitOK, "begin")
	if read(ca("next.crt")) != next || read(admin) != next+old {
		t.Error("a root that sites may have been told of is replaced, or not trusted")
	}
	step(exitExists, "begin")
	step(exitInput, "end", "--now")
	if r := accord(t, "federation", "rotate", "switch", heart, "--now"); r.code != exitUnavailable || !strings.Contains(r.stderr, "--force") {
		t.Errorf("a switch of which no coordinator says who is ready: exit code %d\n%s", r.code, r.stderr)
	}

	// At the end of the switch.
	step(exitOK, "switch", "--now")
	if read(ca("old.crt")) != old || read(ca("ca.crt")) != next {
		t.Error("the switch has not made the next root the root")
	}
	step(exitExists, "switch", "--now")
	rename(ca("ca.crt"), ca("next.crt"))
	writeFile(t, ca("ca.crt"), old)
	step(exitInput, "end", "--now")
	step(exitExists, "begin")
	step(exitOK, "switch", "--now")
	rename(ca("ca.crt"), ca("next.crt"))
	rename(ca("ca.key"), ca("next.key"))
	writeFile(t, ca("ca.crt"), old)
	step(exitOK, "switch", "--now")
	if read(ca("old.crt")) != old || read(ca("ca.crt")) != next {
		t.Error("the switch that was run again has not made the next root the root")
	}

	lock := flock.New(ca("rotation.lock"))
	if locked, err := lock.TryLock(); !locked || err != nil {
		t.Fatal(locked, err)
	}
	step(exitUnavailable, "end", "--now")
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	step(exitOK, "end", "--now")
	if read(coordinator) != next || read(admin) != next {
		t.Error("the old root is still trusted")
	}
	f.start()
	f.join("site-01")
	mustAccord(t, "members", "--identity", filepath.Join(heart, "admin"))
}

// A revoked site knows the keys of gossip: there are others from then on, which
// it is not told.
func TestRevocationRotatesTheKeyring(t *testing.T) {
	f := startFederation(t)
	hub := filepath.Join(f.dir, "heart", "coordinator")
	text, err := os.ReadFile(filepath.Join(hub, "coordinator.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(hub, "coordinator.yaml"), string(text)+"gossip: {bind: '127.0.0.1:0', keyring: gossip.keys, share: true}\n")
	keys := func(file string) int {
		text, _ := os.ReadFile(file) // none yet
		return strings.Count(string(text), "\n")
	}
	ring := filepath.Join(hub, gossipKeys)
	if info, err := os.Stat(ring); err != nil || info.Mode().Perm() != 0o600 || keys(ring) != 1 {
		t.Errorf("%s: %v, %d keys", ring, err, keys(ring))
	}
	f.start()
	waitFor := func(file string, n int) {
		t.Helper()
		for keys(file) != n {
			if t.Context().Err() != nil {
				t.Fatalf("%s has %d keys, not %d", file, keys(file), n)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	ended := make(chan result, 1)
	for _, site := range []string{"site-01", "site-02"} {
		_, file := f.join(site)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, file, string(text)+"gossip: {bind: '127.0.0.1:0', keyring: site.keys}\n")
		if site == "site-02" {
			defer background(t, io.Discard, "participant", "-f", file)()
			continue
		}
		go func() { ended <- attendUntilRefused(t, file, newLogBuffer(readyAddress)) }()
	}
	for _, site := range []string{"site-01", "site-02"} {
		waitFor(filepath.Join(f.dir, site, "site.keys"), 1)
	}
	mustAccord(t, "revoke", "site-01", f.identity)
	waitFor(filepath.Join(f.dir, "site-02", "site.keys"), 2)
	if r := <-ended; r.code != exitInput {
		t.Errorf("the revoked participant: exit code %d", r.code)
	}
	if n := keys(filepath.Join(f.dir, "site-01", "site.keys")); n != 1 {
		t.Errorf("the revoked site has %d keys", n)
	}
}

func TestReadToken(t *testing.T) {
	want := pki.Token{Federation: "heart", Site: "a", Coordinator: "h:1", Root: strings.Repeat("0", 64), Secret: pki.NewSecret()}
	for arg, in := range map[string]string{"-": want.String() + "\n", want.String(): ""} {
		if got, err := readToken(arg, strings.NewReader(in)); err != nil || got != want {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}
