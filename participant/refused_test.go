package participant_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/wire"
	"github.com/accord-fl/accord/participant"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// A refusal that may pass is tried again, slowly, and said with what to look at;
// one that is final ends the participant.
func TestRefusalsThatMayPass(t *testing.T) {
	refuse := func(code codes.Code, text string, reason wire.Reason) error {
		return wire.Refuse(code, text, reason, time.Now().Add(48*time.Hour))
	}
	for name, c := range map[string]struct {
		refusal func() error
		passes  bool
	}{
		"expired":                      {func() error { return refuse(codes.Unauthenticated, "expired", wire.Expired) }, true},
		"not yet valid":                {func() error { return refuse(codes.Unauthenticated, "not yet valid", wire.NotYetValid) }, true},
		"foreign":                      {func() error { return refuse(codes.Unauthenticated, "foreign", wire.Foreign) }, true},
		"unknown":                      {func() error { return refuse(codes.PermissionDenied, "unknown", wire.Unknown) }, true},
		"revoked":                      {func() error { return refuse(codes.PermissionDenied, "revoked", wire.Revoked) }, false},
		"left":                         {func() error { return refuse(codes.PermissionDenied, "left", wire.Left) }, false},
		"replaced":                     {func() error { return refuse(codes.PermissionDenied, "replaced", wire.Replaced) }, false},
		"an older coordinator's":       {func() error { return status.Error(codes.Unauthenticated, "the certificate is out of its time") }, true},
		"an older one's, never joined": {func() error { return status.Error(codes.PermissionDenied, "site a has never joined this federation") }, true},
		"an older one's, revoked":      {func() error { return status.Error(codes.PermissionDenied, "site a was revoked: stolen") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, wrong := time.Now(), 6*time.Hour
				f := &fake{}
				f.answer = func(s *talk) error {
					if time.Since(began) < wrong {
						return c.refusal()
					}
					if err := s.welcome(); err != nil {
						return err
					}
					return s.rest()
				}
				f.serve(t)
				core, logs := observer.New(zap.InfoLevel)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- participant.Run(ctx, f.options(t.TempDir()), trainerFunc(addHalf), zap.New(core)) }()
				time.Sleep(wrong + 10*time.Minute)
				select {
				case err := <-done:
					if c.passes || !strings.Contains(err.Error(), "refuses participant a") {
						t.Errorf("ended with %v", err)
					}
				default:
					if !c.passes || logs.FilterMessage("attending").Len() != 1 {
						t.Errorf("goes on; attends: %v", logs.FilterMessage("attending").Len() == 1)
					}
				}
				cancel()
				synctest.Wait()
				refused := logs.FilterMessage("the coordinator refuses this site for now").All()
				if tries := len(refused); c.passes && (tries < 60 || tries > 200) {
					t.Errorf("%d tries in %v, want one every few minutes", tries, wrong)
				}
				if _, ok := wire.RefusalOf(c.refusal()); ok && c.passes {
					if got, want := refused[0].ContextMap()["coordinator_clock"], "2d0h ahead of this machine's"; got != want {
						t.Errorf("got %v, want %s", got, want)
					}
				}
			})
		})
	}
}

// Both clocks are compared in hello: by how much they differ is said as
// information from seconds on, and as a warning from minutes on.
func TestClocksAreCompared(t *testing.T) {
	for ahead, level := range map[time.Duration]string{
		0: "", 2 * time.Second: "", -20 * time.Second: "info", 20 * time.Minute: "warn", -31 * 24 * time.Hour: "warn",
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			f.answer = func(s *talk) error {
				if told := s.hello.GetNow().AsTime(); !told.Equal(time.Now()) {
					t.Errorf("the hello says %v, the participant's clock %v", told, time.Now())
				}
				err := s.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Welcome{Welcome: &accordv1.Welcome{
					Protocol: exchange.Protocol, Lease: durationpb.New(lease), Now: timestamppb.New(time.Now().Add(ahead)),
				}}})
				if err != nil {
					return err
				}
				return s.rest()
			}
			f.serve(t)
			logs, stop := f.run(t.TempDir(), trainerFunc(addHalf))
			time.Sleep(time.Second)
			if err := stop(); err != nil {
				t.Error(err)
			}
			lines := logs.FilterMessage("clocks differ").All()
			if level == "" && len(lines) > 0 || level != "" && (len(lines) != 1 || lines[0].Level.String() != level) {
				t.Errorf("%v ahead: got %v, want %q", ahead, lines, level)
			}
			if level != "" && !strings.Contains(lines[0].ContextMap()["difference"].(string), wire.Span(ahead)) {
				t.Errorf("%v ahead: got %v", ahead, lines[0].ContextMap())
			}
		})
	}
}
