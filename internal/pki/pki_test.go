package pki

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/internal/fault"
)

func TestIdentities(t *testing.T) {
	good := Identity{Federation: "heart.example", Role: Participant, Name: "hospital-a"}
	if got, err := identityOf([]*url.URL{good.uri()}); err != nil || got != good {
		t.Errorf("got %v, %v, want %v", got, err, good)
	}
	for _, uri := range []string{
		"", "https://heart/participant/a", "spiffe://heart/participant", "spiffe://heart/participant/a/b", "spiffe://heart/boss/a",
		"spiffe://Heart/participant/a", "spiffe://heart/participant/", "spiffe://heart/participant/a%2Fb", "spiffe://u@heart/participant/a",
		"spiffe://heart:1/participant/a", "spiffe://heart/participant/a?b", "spiffe://heart/participant/a#b", "spiffe:heart/participant/a",
		"spiffe://heart/participant/" + strings.Repeat("a", 65), "spiffe:///participant/a",
	} {
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := identityOf([]*url.URL{u}); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got %v, %v, want an error of class fault.Input", uri, got, err)
		}
	}
	if _, err := identityOf([]*url.URL{good.uri(), good.uri()}); err == nil {
		t.Error("two identities were read as one")
	}
}

func token() Token {
	return Token{Federation: "heart", Site: "hospital-a", Coordinator: "fl.example.org:7443", Root: strings.Repeat("a", 64), Secret: NewSecret()}
}

func TestTokens(t *testing.T) {
	want := token()
	if got, err := ParseToken(" " + want.String() + "\n"); err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for name, spoil := range map[string]func(*Token){
		"no site":        func(t *Token) { t.Site = "" },
		"a path as site": func(t *Token) { t.Site = "../a" },
		"no federation":  func(t *Token) { t.Federation = "" },
		"no port":        func(t *Token) { t.Coordinator = "fl.example.org" },
		"no host":        func(t *Token) { t.Coordinator = ":7443" },
		"no root":        func(t *Token) { t.Root = "" },
		"a short secret": func(t *Token) { t.Secret = "x" },
	} {
		spoilt := token()
		spoil(&spoilt)
		if _, err := ParseToken(spoilt.String()); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got %v, want class fault.Input", name, err)
		}
	}
	whole := token().String()
	for _, s := range []string{"", "hello", whole[:len(whole)/2], whole + strings.Repeat("A", 4096), strings.Replace(whole, "accord1_", "accord2_", 1)} {
		if _, err := ParseToken(s); !errors.Is(err, fault.Input) {
			t.Errorf("%.40q: got %v, want class fault.Input", s, err)
		}
	}
}

// A requester must hold the key, and it must be of the one kind.
func TestRequests(t *testing.T) {
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	id := Identity{Federation: "heart", Role: Coordinator, Name: "c"}
	request, err := NewRequest(id, key, []string{"fl.example.org", "10.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadRequest(request)
	if err != nil || got.Identity != id || strings.Join(got.Hosts, " ") != "fl.example.org 10.0.0.1" {
		t.Errorf("got %+v, %v", got, err)
	}
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	odd, err := NewRequest(id, other, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty": nil, "no PEM": []byte("hello"), "a certificate": []byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
		"cut short": request[:len(request)/2], "too long": make([]byte, MaxRequest+1), "another kind of key": odd,
	} {
		if _, err := ReadRequest(data); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got %v, want class fault.Input", name, err)
		}
	}
}

func TestKeysOthersCanReadAreRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tls.key")
	if err := WriteKey(path, key); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if _, err := ReadKey(path); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKey(path); !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v, want it refused", err)
	}
}

// An issuer signs no further issuers that anybody would believe, nobody signs
// for another federation, and no certificate outlives its authority.
func TestBoundsOfAuthorities(t *testing.T) {
	root, err := NewRoot("heart", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	strange, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := root.Certify(Identity{Federation: "bank", Role: Admin, Name: "a"}, strange.Public(), nil, time.Hour); !errors.Is(err, fault.Input) {
		t.Errorf("another federation: got %v", err)
	}
	below := func(a *Authority, role Role) *Authority {
		key, err := NewKey()
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%s-%d", role, len(a.Chain)) // no two of a chain share one
		chain, err := a.Certify(Identity{Federation: "heart", Role: role, Name: name}, key.Public(), nil, 1000*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if chain[0].NotAfter.After(a.Cert.NotAfter) {
			t.Errorf("a certificate until %v of an authority until %v", chain[0].NotAfter, a.Cert.NotAfter)
		}
		return &Authority{Federation: "heart", Cert: chain[0], Chain: chain, key: key}
	}
	issuer := below(root, Issuer)
	if err := Verify(below(issuer, Admin).Chain, root.Chain); err != nil {
		t.Errorf("an admin's certificate: %v", err)
	}
	if err := Verify(below(below(issuer, Issuer), Admin).Chain, root.Chain); err == nil {
		t.Error("an issuer below an issuer was believed")
	}
	if err := Verify(below(below(issuer, Participant), Admin).Chain, root.Chain); err == nil {
		t.Error("a site signed an admin's certificate and was believed")
	}
}

// OpenSSL believes the chains as we do.
func TestOpenSSLAgrees(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not here")
	}
	root, err := NewRoot("heart", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	issuing, err := root.Certify(Identity{Federation: "heart", Role: Issuer, Name: "issuer"}, key.Public(), nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	issuer := &Authority{Federation: "heart", Cert: issuing[0], Chain: issuing, key: key}
	chain, err := issuer.Certify(Identity{Federation: "heart", Role: Coordinator, Name: "c"}, key.Public(), []string{"fl.example.org"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ca, cert := filepath.Join(dir, RootsFile), filepath.Join(dir, CertFile)
	if err := errors.Join(WriteCerts(ca, root.Chain), WriteCerts(cert, chain)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "fl.example.org", "-CAfile", ca, "-untrusted", cert, cert).CombinedOutput()
	if err != nil {
		t.Errorf("openssl verify: %v\n%s", err, out)
	}
	print, err := exec.Command("openssl", "x509", "-in", ca, "-noout", "-fingerprint", "-sha256").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.ToLower(strings.ReplaceAll(string(print), ":", "")); !strings.Contains(got, Fingerprint(root.Cert)) {
		t.Errorf("openssl's fingerprint is %s, ours %s", got, Fingerprint(root.Cert))
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(token().String())
	f.Add("accord1_e30")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseToken(s)
		if err != nil {
			return
		}
		if again, err := ParseToken(got.String()); err != nil || again != got {
			t.Errorf("%+v came back as %+v (%v)", got, again, err)
		}
	})
}

func FuzzReadRequest(f *testing.F) {
	key, err := NewKey()
	if err != nil {
		f.Fatal(err)
	}
	request, err := NewRequest(Identity{Federation: "heart", Role: Participant, Name: "a"}, key, []string{"x", "10.0.0.1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(request)
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := ReadRequest(data); err == nil && r.Identity.Validate() != nil {
			t.Errorf("a request for %v was read", r.Identity)
		}
	})
}

func FuzzDecodeCerts(f *testing.F) {
	root, err := NewRoot("heart", time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(EncodeCerts(root.Chain))
	f.Fuzz(func(t *testing.T, data []byte) {
		if certs, err := DecodeCerts(data); err == nil && (len(certs) == 0 || len(certs) > maxCerts) {
			t.Errorf("%d certificates", len(certs))
		}
	})
}

// A file that was replaced by an older one is taken up, too, and half a
// replacement is not.
func TestCredentialFollowsItsFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root, err := NewRoot("heart", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		dir, other := t.TempDir(), t.TempDir()
		id := Identity{Federation: "heart", Role: Participant, Name: "a"}
		for _, dir := range []string{dir, other} {
			key, err := NewKey()
			if err != nil {
				t.Fatal(err)
			}
			chain, err := root.Certify(id, key.Public(), nil, time.Hour)
			if err == nil {
				err = errors.Join(WriteKey(filepath.Join(dir, KeyFile), key), WriteCerts(filepath.Join(dir, CertFile), chain), WriteCerts(filepath.Join(dir, RootsFile), root.Chain))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		c, err := OpenCredential(dir)
		if err != nil {
			t.Fatal(err)
		}
		before := KeyOf(c.Certificate().Leaf)
		long := time.Now().Add(-24 * time.Hour)
		for n, file := range []string{CertFile, KeyFile} {
			path := filepath.Join(dir, file)
			if err := errors.Join(os.Rename(filepath.Join(other, file), path), os.Chtimes(path, long, long)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			if got := KeyOf(c.Certificate().Leaf); (got == before) != (n == 0) {
				t.Errorf("after %s: the key changed: %v", file, got != before)
			}
		}
	})
}
