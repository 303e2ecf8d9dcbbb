package participant_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/participant"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// What only somebody else's doing ends is tried again, but not often.
func TestRefusalsThatOthersEndAreTriedSlowly(t *testing.T) {
	for name, answer := range map[string]func(*talk) error{
		"another process has the place": func(*talk) error {
			s, err := status.New(codes.Unavailable, "another process attends").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(20 * time.Second)})
			if err != nil {
				return err
			}
			return s.Err()
		},
		"a coordinator that wants to be left alone for ever": func(*talk) error {
			s, err := status.New(codes.Unavailable, "go away").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(1 << 60)})
			if err != nil {
				return err
			}
			return s.Err()
		},
		"another process took it, at an older coordinator": func(*talk) error {
			return status.Error(codes.Aborted, "another participant attends")
		},
		"another federation": func(s *talk) error {
			return errors.Join(s.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Welcome{Welcome: &accordv1.Welcome{
				Protocol: exchange.Protocol, Lease: durationpb.New(lease), Federation: "bob",
			}}}), s.rest())
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answer: answer}
				f.federation = "alice"
				f.serve(t)
				logs, stop := f.run(t.TempDir(), trainerFunc(addHalf))
				time.Sleep(time.Hour)
				if err := stop(); err != nil {
					t.Error(err)
				}
				if f.attended < 8 || f.attended > 40 {
					t.Errorf("tried %d times in an hour, want some", f.attended)
				}
				if logs.FilterMessage("not let in for now").Len() != f.attended {
					t.Errorf("the log says so %d times of %d", logs.FilterMessage("not let in for now").Len(), f.attended)
				}
			})
		})
	}
}

// A hello names the process, another in each, and the federation.
func TestAHelloNamesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hellos []*accordv1.Hello
		f := &fake{federation: "alice"}
		f.answer = func(s *talk) error {
			hellos = append(hellos, s.hello)
			return lost
		}
		f.serve(t)
		dir := t.TempDir()
		for range 2 {
			_, stop := f.run(dir, trainerFunc(addHalf))
			time.Sleep(time.Minute)
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
		processes := map[string]int{}
		for _, h := range hellos {
			processes[string(h.GetProcess())]++
			if len(h.GetProcess()) != 16 || h.GetFederation() != "alice" {
				t.Errorf("got %v", h)
			}
		}
		if len(processes) != 2 || len(hellos) < 4 {
			t.Errorf("%d hellos of %d processes, want several of two", len(hellos), len(processes))
		}
	})
}

func TestFederationNamesAreChecked(t *testing.T) {
	o := participant.DefaultOptions()
	o.Name, o.Coordinator, o.Insecure, o.Dir, o.Federation = "a", "127.0.0.1:1", true, t.TempDir(), "no name/"
	if err := o.Validate(); err == nil {
		t.Error("no error")
	}
}
