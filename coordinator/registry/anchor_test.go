package registry

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/internal/pki"
)

// Every change is anchored before it is answered. One that could not be anchored
// holds, is answered with an error, and is anchored before anything else.
func TestChangesAreAnchored(t *testing.T) {
	r, store := open(t, filepath.Join(t.TempDir(), "j"))
	defer store.Close()
	var anchored journal.Head
	var fails error
	calls := 0
	r.AnchorIn(func(_ context.Context, head journal.Head) error {
		calls++
		if fails == nil {
			anchored = head
		}
		return fails
	})
	secret := invite(t, r, "a")
	if anchored != store.Head() || anchored.Size != 1 {
		t.Errorf("anchored %+v, want %+v", anchored, store.Head())
	}
	fails = errors.New("the coordinator has stopped")
	later := time.Now().Add(time.Hour)
	for range 2 { // it comes again, as a site does that got no answer
		if _, err := r.Enroll(t.Context(), secret, keyA, later); !errors.Is(err, fails) {
			t.Errorf("got error %v, want %v", err, fails)
		}
	}
	if err := r.Revoke(t.Context(), pki.Participant, "a", "alice", ""); !errors.Is(err, fails) {
		t.Errorf("the next change: got error %v, want %v", err, fails)
	}
	if size := store.Head().Size; size != 2 {
		t.Errorf("%d records, want one that is not anchored", size)
	}
	fails = nil
	if _, err := r.Enroll(t.Context(), secret, keyA, later); err != nil || anchored != store.Head() {
		t.Errorf("anchored %+v, want %+v; error %v", anchored, store.Head(), err)
	}
	before := calls
	if _, err := r.Enroll(t.Context(), secret, keyA, later); err != nil || calls != before {
		t.Errorf("the same again was anchored again, error %v", err)
	}
	if err := r.Admit(member("a"), keyA); err != nil {
		t.Error(err)
	}
}

// A revocation that holds ends who was revoked, also while it cannot be answered;
// the same again is answered once it is anchored.
func TestARevocationThatIsNotAnchoredEndsTheSite(t *testing.T) {
	r, store := open(t, filepath.Join(t.TempDir(), "j"))
	defer store.Close()
	if _, err := r.Enroll(t.Context(), invite(t, r, "a"), keyA, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space")
	fails := full
	r.AnchorIn(func(context.Context, journal.Head) error { return fails })
	ended := 0
	r.OnEnd(func(pki.Role, string) { ended++ })
	if err := r.Revoke(t.Context(), pki.Participant, "a", "alice", ""); !errors.Is(err, full) || ended != 1 {
		t.Errorf("got error %v and %d ended, want %v and one", err, ended, full)
	}
	if err := r.Admit(member("a"), keyA); reason(err) != RevokedCaller {
		t.Errorf("admission: got %v", err)
	}
	fails = nil
	if err := r.Revoke(t.Context(), pki.Participant, "a", "alice", ""); err != nil || store.Head().Size != 3 {
		t.Errorf("the same again: error %v and %d records, want 3", err, store.Head().Size)
	}
}

// Whoever is to be let in does not wait for a change that waits for a disk.
func TestAdmissionDoesNotWaitForAnAnchor(t *testing.T) {
	r, store := open(t, filepath.Join(t.TempDir(), "j"))
	defer store.Close()
	if _, err := r.Enroll(t.Context(), invite(t, r, "a"), keyA, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	reached, release := make(chan struct{}), make(chan struct{})
	r.AnchorIn(func(context.Context, journal.Head) error {
		close(reached)
		<-release
		return nil
	})
	revoked := make(chan error)
	go func() { revoked <- r.Revoke(t.Context(), pki.Participant, "a", "alice", "") }()
	<-reached
	if err := r.Admit(member("a"), keyA); err != nil {
		t.Errorf("before the revocation is answered: %v", err)
	}
	close(release)
	if err := <-revoked; err != nil {
		t.Error(err)
	}
	if err := r.Admit(member("a"), keyA); reason(err) != RevokedCaller {
		t.Errorf("after it: got %v", err)
	}
}
