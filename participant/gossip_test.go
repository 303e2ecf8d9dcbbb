package participant_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/gossip"
	"github.com/accord-fl/accord/participant"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

func keyringMessage(keys ...[]byte) *accordv1.AttendResponse {
	return &accordv1.AttendResponse{Message: &accordv1.AttendResponse_Keyring{Keyring: &accordv1.Keyring{Keys: keys}}}
}

// The coordinator sends a participant that gossips its keys, and new ones.
func TestAParticipantGossipsWithTheCoordinatorsKeys(t *testing.T) {
	first, second := gossip.NewKey(), gossip.NewKey()
	file := filepath.Join(t.TempDir(), "keyring")
	holds := func(keys ...[]byte) bool {
		for range 3000 { // the participant opens sockets, so no clock can be faked
			if got, err := gossip.LoadKeys(file); err == nil && got.Equal(keys) {
				return true
			}
			time.Sleep(10 * time.Millisecond)
		}
		return false
	}
	next := make(chan struct{})
	f := &fake{}
	f.attend = func(_ int, s *talk) error {
		if len(s.hello.GetFeatures()) != 2 || s.hello.GetFeatures()[1] != "gossip" {
			t.Errorf("got features %v, want gossip among them", s.hello.GetFeatures())
		}
		if err := s.say(keyringMessage(first)); err != nil {
			return err
		}
		<-next
		return errors.Join(s.say(keyringMessage(second, first)), s.rest())
	}
	f.gossip = &gossip.Options{Bind: "127.0.0.1:0", Keyring: file}
	f.serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- participant.Run(ctx, f.options(t.TempDir()), trainerFunc(addHalf), zap.NewNop()) }()
	if !holds(first) {
		t.Error("the keys have not arrived")
	}
	close(next)
	if !holds(second, first) {
		t.Error("the new keys have not arrived")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestKeysThatAreNoneEndTheConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(s *talk) error {
			return errors.Join(s.welcome(), s.say(keyringMessage(bytes.Repeat([]byte("x"), 31))), s.rest())
		}}
		f.serve(t)
		_, stop := f.run(t.TempDir(), trainerFunc(addHalf))
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if f.attended < 2 {
			t.Errorf("tried %d times in a minute", f.attended)
		}
	})
}

func TestGossipThatCanNotBegin(t *testing.T) {
	f := &fake{attend: func(_ int, s *talk) error { return s.rest() }}
	f.gossip = &gossip.Options{Bind: "localhost:0", Keyring: filepath.Join(t.TempDir(), "keyring")}
	if err := (gossip.Keys{gossip.NewKey()}).Save(f.gossip.Keyring); err != nil {
		t.Fatal(err)
	}
	f.serve(t)
	if err := participant.Run(t.Context(), f.options(t.TempDir()), trainerFunc(addHalf), zap.NewNop()); !errors.Is(err, fault.Input) {
		t.Errorf("got %v, want class fault.Input", err)
	}
}
