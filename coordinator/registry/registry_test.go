package registry

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/pki"
)

func open(t *testing.T, path string) (*Registry, *journal.File) {
	t.Helper()
	store, err := journal.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	return r, store
}

func invite(t *testing.T, r *Registry, site string) (secret string) {
	t.Helper()
	secret = pki.NewSecret()
	if err := r.Invite(t.Context(), site, pki.HashSecret(secret), "alice", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	return secret
}

func member(name string) pki.Identity {
	return pki.Identity{Federation: "heart", Role: pki.Participant, Name: name}
}

// reason of the refusal that err must be.
func reason(err error) Reason {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Reason
	}
	return ""
}

const keyA, keyB = "aaaa", "bbbb"

func TestTokensAreRedeemedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, store := open(t, filepath.Join(t.TempDir(), "j"))
		defer store.Close()
		later := time.Now().Add(1000 * time.Hour)
		enroll := func(secret, key string) (string, error) { return r.Enroll(t.Context(), secret, key, later) }

		first, second := invite(t, r, "a"), invite(t, r, "a")
		if _, err := enroll(first, keyA); reason(err) != BadToken {
			t.Errorf("a token that was replaced: got %v", err)
		}
		for range 2 { // the answer may have been lost
			if site, err := enroll(second, keyA); err != nil || site != "a" {
				t.Errorf("got %q, %v, want a", site, err)
			}
		}
		if _, err := enroll(second, keyB); reason(err) != BadToken {
			t.Errorf("a replayed token: got %v", err)
		}
		if err := r.Admit(member("a"), keyA); err != nil {
			t.Error(err)
		}
		third := invite(t, r, "a")
		if err := r.Admit(member("a"), keyA); err != nil {
			t.Errorf("invited again, the old key belongs until then: %v", err)
		}
		if _, err := enroll(third, keyB); err != nil {
			t.Error(err)
		}
		if err := r.Admit(member("a"), keyA); reason(err) != ReplacedKey {
			t.Errorf("the old key: got %v", err)
		}
		if _, err := enroll(second, keyA); reason(err) != BadToken {
			t.Errorf("the old token with the old key: got %v", err)
		}
		late := invite(t, r, "b")
		time.Sleep(time.Hour)
		if _, err := enroll(late, keyB); reason(err) != BadToken {
			t.Errorf("an expired token: got %v", err)
		}
	})
}

func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "j")
		r, store := open(t, path)
		var told []string
		r.OnEnd(func(role pki.Role, name string) { told = append(told, string(role)+" "+name) })
		for _, site := range []string{"a", "b", "c"} {
			if _, err := r.Enroll(t.Context(), invite(t, r, site), "key-"+site, time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		open1 := invite(t, r, "a")
		for _, err := range []error{
			r.Revoke(t.Context(), pki.Participant, "a", "alice", "stolen"),
			r.Leave(t.Context(), "b", "study ended"),
			r.Revoke(t.Context(), pki.Admin, "carol", "alice", ""),
			r.Renewed(t.Context(), "c", time.Now().Add(2*time.Hour)),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(answerWithin)
		synctest.Wait()
		if diff := cmp.Diff([]string{"participant a", "admin carol", "participant b"}, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		for name, err := range map[string]error{
			"revoked twice":   r.Revoke(t.Context(), pki.Participant, "a", "alice", ""),
			"left twice":      r.Leave(t.Context(), "b", ""),
			"unknown":         r.Revoke(t.Context(), pki.Participant, "z", "alice", ""),
			"a coordinator":   r.Revoke(t.Context(), pki.Coordinator, "c", "alice", ""),
			"a site's name":   r.Invite(t.Context(), "../a", strings.Repeat("0", 64), "", time.Now().Add(time.Hour)),
			"no hash":         r.Invite(t.Context(), "a", "secret", "", time.Now().Add(time.Hour)),
			"already expired": r.Invite(t.Context(), "a", strings.Repeat("0", 64), "", time.Now()),
		} {
			if !errors.Is(err, fault.Input) {
				t.Errorf("%s: got %v, want class fault.Input", name, err)
			}
		}
		sites := r.Sites()
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		r, store = open(t, path)
		defer store.Close()
		if diff := cmp.Diff(sites, r.Sites(), cmp.AllowUnexported(Site{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("after a restart (-before +after):\n%s", diff)
		}
		for _, want := range []struct {
			id     pki.Identity
			key    string
			reason Reason
		}{
			{member("a"), "key-a", RevokedCaller},
			{member("b"), "key-b", LeftCaller},
			{member("c"), "key-c", ""},
			{member("d"), "key-d", UnknownCaller},
			{pki.Identity{Federation: "heart", Role: pki.Admin, Name: "carol"}, "", RevokedCaller},
			{pki.Identity{Federation: "heart", Role: pki.Admin, Name: "alice"}, "", ""},
		} {
			if got := reason(r.Admit(want.id, want.key)); got != want.reason {
				t.Errorf("%s: refused for %q, want %q", want.id, got, want.reason)
			}
		}
		if _, err := r.Enroll(t.Context(), open1, keyB, time.Now().Add(time.Hour)); reason(err) != BadToken {
			t.Errorf("an invitation from before the revocation: got %v", err)
		}
		if _, err := r.Enroll(t.Context(), invite(t, r, "a"), keyB, time.Now().Add(time.Hour)); err != nil || r.Admit(member("a"), keyB) != nil {
			t.Errorf("invited again after a revocation: %v, %v", err, r.Admit(member("a"), keyB))
		}
	})
}

// A new key, or an authority of its own, ends what a site's old key opened, and
// an invitation from before lets nobody in.
func TestAnotherKeyEndsTheFirst(t *testing.T) {
	r, store := open(t, filepath.Join(t.TempDir(), "j"))
	defer store.Close()
	var told []string
	r.OnEnd(func(role pki.Role, name string) { told = append(told, string(role)+" "+name) })
	later := time.Now().Add(1000 * time.Hour)
	for _, key := range []string{keyA, keyB, keyB} {
		if _, err := r.Enroll(t.Context(), invite(t, r, "a"), key, later); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 1 || told[0] != "participant a" {
		t.Errorf("after another key: told %v", told)
	}
	secret := invite(t, r, "a")
	root, err := pki.NewRoot("own", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Trust(t.Context(), "a", "alice", root.Chain); err != nil || len(told) != 2 {
		t.Errorf("after another authority (%v): told %v", err, told)
	}
	if _, err := r.Enroll(t.Context(), secret, keyA, later); reason(err) != BadToken {
		t.Errorf("an invitation from before: got %v", err)
	}
	if err := r.Admit(member("a"), keyB); reason(err) != ReplacedKey {
		t.Errorf("the key from before: got %v", err)
	}
}

// Of two who redeem a token at the same time one belongs.
func TestTwoRedeemAtOnce(t *testing.T) {
	r, store := open(t, filepath.Join(t.TempDir(), "j"))
	defer store.Close()
	secret := invite(t, r, "a")
	won := make(chan string, 8)
	var all sync.WaitGroup
	for n := range cap(won) {
		all.Go(func() {
			key := strings.Repeat(string(rune('a'+n)), 4)
			if _, err := r.Enroll(t.Context(), secret, key, time.Now().Add(time.Hour)); err == nil {
				won <- key
			}
		})
	}
	all.Wait()
	if len(won) != 1 {
		t.Fatalf("%d have joined", len(won))
	}
	if err := r.Admit(member("a"), <-won); err != nil {
		t.Error(err)
	}
}

func FuzzRecords(f *testing.F) {
	f.Add("invited", []byte(`{"site":"a","token":"x"}`))
	f.Add("trusted", []byte(`{"site":"a","roots":"-----BEGIN"}`))
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		e, err := decode(data)
		if err != nil {
			return
		}
		r := &Registry{sites: map[string]Site{}, tokens: map[string]string{}, admins: map[string]string{}}
		if err := r.apply(kind, time.Time{}, e); err == nil && kind == "" {
			t.Error("a record without a kind was taken")
		}
	})
}
