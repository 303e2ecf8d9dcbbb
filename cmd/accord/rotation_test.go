package main

import (
	"crypto/x509"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
)

// attendsTwice starts a participant; again waits until it has attended a second
// time.
func (f *federation) attendsTwice(file string) (stop, again func()) {
	f.t.Helper()
	log := newLogBuffer(regexp.MustCompile(`(?s)"event":"attending".*"event":"(attending)"`))
	stop = background(f.t, log, "participant", "-f", file)
	return stop, func() { log.wait(f.t) }
}

// trusted are the roots that a site's folder holds.
func trusted(t *testing.T, site string) []*x509.Certificate {
	t.Helper()
	roots, err := pki.ReadCerts(filepath.Join(site, "identity", pki.RootsFile))
	if err != nil {
		t.Fatal(err)
	}
	return roots
}

// The root is replaced within moments while two sites attend, which are told of
// each step and need not connect again; they belong afterwards, and so does one
// that joins then. One that was away all the time joins again.
func TestRotation(t *testing.T) {
	f := startFederation(t)
	f.start()
	heart := filepath.Join(f.dir, "heart")
	rotate := func(step string, code int, want string, args ...string) {
		t.Helper()
		r := accord(t, append([]string{"federation", "rotate", step, heart}, args...)...)
		if r.code != code || !strings.Contains(r.stdout+r.stderr, want) {
			t.Fatalf("%s %v: exit code %d, want %d and %q\n%s%s", step, args, r.code, code, want, r.stdout, r.stderr)
		}
	}
	rotate("end", exitInput, "switch comes before end")
	_, away := f.join("site-03")
	var sites []string
	var again []func()
	for _, site := range []string{"site-01", "site-02"} {
		_, file := f.join(site)
		sites = append(sites, filepath.Dir(file))
		stop, second := f.attendsTwice(file)
		defer stop()
		again = append(again, second)
	}
	attending := func() int { return strings.Count(mustAccord(t, "members", f.identity), "attending") }
	for attending() < len(sites) {
		if t.Context().Err() != nil {
			t.Fatal("the sites do not attend")
		}
	}
	rotate("begin", exitOK, "trust the next root too")
	rotate("begin", exitExists, "has begun")
	rotate("switch", exitInput, "too early")
	rotate("switch", exitOK, "yes", "--now")
	rotate("switch", exitExists, "end is next", "--now")
	rotate("end", exitInput, "too early")
	rotate("end", exitOK, "not known while it is away", "--now")
	root, err := pki.ReadCerts(filepath.Join(heart, "ca", rootCert))
	if err != nil {
		t.Fatal(err)
	}
	for _, site := range sites {
		chain, err := pki.ReadCerts(filepath.Join(site, "identity", pki.CertFile))
		if err != nil || pki.TopOf(chain) != pki.Fingerprint(root[0]) {
			t.Errorf("%s: its certificate is not below the new root (%v)", site, err)
		}
	}
	if n := attending(); n != len(sites) {
		t.Errorf("%d sites attend after the end", n)
	}
	f.stop()
	f.start()
	for _, second := range again {
		second()
	}
	unreachable := newLogBuffer(regexp.MustCompile(`(coordinator unreachable).*not of this federation`))
	stop := background(t, unreachable, "participant", "-f", away)
	unreachable.wait(t)
	stop()
	f.join("site-03")
	f.attends(away)()
}

// A root for which nobody vouches is not trusted by a site, whatever the
// coordinator's folder says; a switch vouches for it where a begin of an older
// version has not, and waits for the sites.
func TestRootsNeedAnEndorsement(t *testing.T) {
	f := startFederation(t)
	f.start()
	heart := filepath.Join(f.dir, "heart")
	identity := filepath.Join(heart, "coordinator", "identity")
	_, file := f.join("site-01")
	site := filepath.Dir(file)
	refused := newLogBuffer(regexp.MustCompile(`"event":"(roots not taken: none that is trusted has signed them)"`))
	defer background(t, refused, "participant", "-f", file)()
	old := trusted(t, site)
	mustAccord(t, "federation", "rotate", "begin", heart)
	next, err := pki.NewRoot("heart", pki.RootLifetime)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		os.Remove(filepath.Join(identity, pki.EndorsementsFile)),
		next.Save(filepath.Join(heart, "ca", nextCert), filepath.Join(heart, "ca", nextKey)),
		pki.WriteCerts(filepath.Join(identity, pki.RootsFile), []*x509.Certificate{next.Cert, old[0]}),
	); err != nil {
		t.Fatal(err)
	}
	mustAccord(t, "members", f.identity) // has the coordinator look
	refused.wait(t)
	if slices.ContainsFunc(trusted(t, site), next.Cert.Equal) {
		t.Error("a root for which nobody vouches is trusted")
	}
	mustAccord(t, "federation", "rotate", "switch", heart, "--now")
	if !slices.ContainsFunc(trusted(t, site), next.Cert.Equal) {
		t.Error("the root for which the switch has vouched is not trusted")
	}
}

// A step for which a site that attends is not ready is refused.
func TestRotationWaitsForSitesThatAttend(t *testing.T) {
	f := startFederation(t)
	f.start()
	heart := filepath.Join(f.dir, "heart")
	_, file := f.join("site-01")
	defer f.attends(file)()
	roots := filepath.Join(filepath.Dir(file), "identity", pki.RootsFile)
	if err := errors.Join(os.Rename(roots, roots+".was"), os.MkdirAll(filepath.Join(roots, "in the way"), 0o700)); err != nil {
		t.Fatal(err)
	}
	mustAccord(t, "federation", "rotate", "begin", heart)
	r := rotation{founding: founding{dir: heart}, now: true, stdout: io.Discard}
	err := r.take(func() error { return r.change(t.Context()) })
	if !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), "not ready: site-01; --force") {
		t.Errorf("got %v", err)
	}
	if certs, err := pki.ReadCerts(filepath.Join(heart, "ca", nextCert)); err != nil || len(certs) != 1 {
		t.Errorf("the refused step has changed something: %v", err)
	}
	mustAccord(t, "federation", "rotate", "switch", heart, "--now", "--force")
}

// Where the root is elsewhere, ca sign vouches for the next one.
func TestRootElsewhereVouches(t *testing.T) {
	dir := t.TempDir()
	old, next := filepath.Join(dir, "old"), filepath.Join(dir, "next")
	mustAccord(t, "ca", "init", old, "--name", "heart")
	mustAccord(t, "ca", "init", next, "--name", "heart")
	mustAccord(t, "ca", "init", filepath.Join(dir, "bank"), "--name", "bank")
	mustAccord(t, "ca", "sign", "--ca", old, filepath.Join(next, "ca.crt"))
	read := func(file string) []*x509.Certificate {
		t.Helper()
		certs, err := pki.ReadCerts(file)
		if err != nil {
			t.Fatal(err)
		}
		return certs
	}
	trusted, offered, endorsements := read(filepath.Join(old, "ca.crt")), read(filepath.Join(next, "ca.crt")), read(filepath.Join(next, pki.EndorsementsFile))
	if _, refused := pki.Admissible(trusted, offered, endorsements); len(refused) > 0 {
		t.Error("the root that was vouched for is refused")
	}
	if r := accord(t, "ca", "sign", "--ca", old, filepath.Join(dir, "bank", "ca.crt")); r.code != exitInput {
		t.Errorf("another federation's root: exit code %d\n%s", r.code, r.stderr)
	}
}
