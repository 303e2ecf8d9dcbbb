package participant_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/trainer"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// blocking trains until its context ends.
type blocking struct{ started, stopped int }

func (b *blocking) Train(ctx context.Context, _ exchange.Task, _ *model.File, _ func(model.Vector) error) (trainer.Result, error) {
	b.started++
	<-ctx.Done()
	b.stopped++
	return trainer.Result{}, ctx.Err()
}

func TestCancelStopsATaskAndDropsAQueuedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.attend = func(_ int, s *talk) error {
			first, second := testTask("a", f.model(1)), testTask("a", f.model(1))
			second.ID = "run/2/0/a"
			err := errors.Join(s.offer(first), s.offer(second))
			time.Sleep(time.Second)
			err = errors.Join(err, s.cancel(second.ID), s.cancel("unknown"), s.cancel(first.ID))
			if err != nil {
				return err
			}
			_, err = s.reply()
			return err
		}
		f.serve(t)
		b := &blocking{}
		_, stop := f.run(t.TempDir(), b)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if b.started != 1 || b.stopped != 1 {
			t.Errorf("%d trainings began and %d stopped, want 1 and 1", b.started, b.stopped)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if len(f.replies) != 0 {
			t.Error("answered a task that was withdrawn")
		}
	})
}

func TestStoppingLeavesATaskOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		farewell := ""
		f.attend = func(_ int, s *talk) error {
			if err := s.offer(testTask("a", f.model(1))); err != nil {
				return err
			}
			for {
				m, err := s.Recv()
				if err != nil {
					return err
				}
				if m.GetReply() != nil {
					t.Errorf("got reply %s", m.GetReply().GetPayload())
				}
				if m.GetFarewell() != nil {
					farewell = m.GetFarewell().GetReason()
					return nil
				}
			}
		}
		f.serve(t)
		dir := t.TempDir()
		_, stop := f.run(dir, &blocking{})
		time.Sleep(time.Second)
		begin := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("took %v to stop", took)
		}
		if farewell != "stopped at the site" || len(unanswered(t, dir)) != 0 {
			t.Errorf("got farewell %q and outbox %v", farewell, unanswered(t, dir))
		}
	})
}

func TestRefusalsAreFinal(t *testing.T) {
	welcome := func(protocol int32, lease time.Duration) func(*talk) error {
		return func(s *talk) error {
			return errors.Join(s.say(&accordv1.AttendResponse{Message: &accordv1.AttendResponse_Welcome{
				Welcome: &accordv1.Welcome{Protocol: protocol, Lease: durationpb.New(lease)},
			}}), s.rest())
		}
	}
	refuse := func(c codes.Code, text string) func(*talk) error {
		return func(*talk) error { return status.Error(c, text) }
	}
	tests := []struct {
		name   string
		answer func(*talk) error
		want   string
	}{
		{"another protocol, told by the coordinator", refuse(codes.InvalidArgument, "upgrade the participant"), "upgrade the participant"},
		{"an older coordinator", welcome(exchange.Protocol-1, lease), "upgrade the coordinator"},
		{"a newer coordinator", welcome(exchange.Protocol+1, lease), "upgrade this participant"},
		{"another service", refuse(codes.Unimplemented, "unknown service"), "no Accord coordinator answers there"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answer: test.answer}
				f.serve(t)
				err := participant.Run(t.Context(), f.options(t.TempDir()), trainerFunc(addHalf), zap.NewNop())
				if !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %q in class fault.Input", err, test.want)
				}
				if f.attended != 1 {
					t.Errorf("tried %d times", f.attended)
				}
			})
		})
	}
}

func TestOddCoordinatorsAreTriedAgain(t *testing.T) {
	tests := map[string]func(*talk) error{
		"silence":     func(s *talk) error { <-s.Context().Done(); return nil },
		"no welcome":  func(s *talk) error { return errors.Join(s.receipt("x", accordv1.Verdict_VERDICT_LATE), s.rest()) },
		"hangs up":    func(*talk) error { return nil },
		"is stopping": func(*talk) error { return lost },
		"offers a task without an id": func(s *talk) error {
			return errors.Join(s.welcome(), s.offer(exchange.Task{}), s.rest())
		},
		"says nothing": func(s *talk) error {
			return errors.Join(s.say(&accordv1.AttendResponse{}), s.rest())
		},
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answer: answer}
				f.serve(t)
				_, stop := f.run(t.TempDir(), trainerFunc(addHalf))
				time.Sleep(3 * time.Minute)
				if err := stop(); err != nil {
					t.Error(err)
				}
				if f.attended < 3 {
					t.Errorf("tried %d times in three minutes", f.attended)
				}
			})
		})
	}
}

func TestOffersThatMakeNoSense(t *testing.T) {
	say := func(task, exch, payload string) *accordv1.AttendResponse {
		return &accordv1.AttendResponse{Message: &accordv1.AttendResponse_Offer{
			Offer: &accordv1.Offer{Task: task, Exchange: exch, Payload: []byte(payload)},
		}}
	}
	tests := []struct {
		name    string
		offer   *accordv1.AttendResponse
		outcome exchange.Outcome
		reason  string
	}{
		{"an exchange of the future", say("t", "unmask", `{}`), exchange.Declined, `exchange "unmask" is not known`},
		{"no JSON", say("t", "train", `{`), exchange.Failed, "read the task"},
		{"two ids", say("t", "train", `{"id": "u"}`), exchange.Failed, "another one"},
		{"an empty task", say("t", "train", `{"id": "t"}`), exchange.Failed, "run name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				f.attend = func(_ int, s *talk) error {
					if err := s.say(test.offer); err != nil {
						return err
					}
					got, err := s.reply()
					if err != nil {
						return err
					}
					return errors.Join(s.receipt(got.Task, accordv1.Verdict_VERDICT_NOTED), s.rest())
				}
				f.serve(t)
				_, stop := f.run(t.TempDir(), trainerFunc(addHalf))
				time.Sleep(time.Second)
				if err := stop(); err != nil {
					t.Error(err)
				}
				if got := f.last(); got.Task != "t" || got.Outcome != test.outcome || !strings.Contains(got.Reason, test.reason) {
					t.Errorf("got %+v, want %s with %q", got, test.outcome, test.reason)
				}
			})
		})
	}
}

// order notes which tasks train, and how many at a time.
type order struct {
	runs       []string
	now, worst int
}

func (o *order) Train(_ context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	o.now++
	o.worst = max(o.worst, o.now)
	time.Sleep(10 * time.Second)
	o.now--
	o.runs = append(o.runs, t.Run)
	return trainer.Result{Samples: 1, Steps: 1}, done(global)
}

// Tasks of several runs train one at a time, the oldest offer first.
func TestOneTrainingAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		offers := []string{"red", "blue", "red", "green"}
		f.attend = func(_ int, s *talk) error {
			for i, run := range offers {
				task := testTask("a", f.model(1))
				task.Run, task.Round = run, i+1
				task.ID = fmt.Sprintf("%s/%d.0/train/a", run, i+1)
				if err := s.offer(task); err != nil {
					return err
				}
			}
			return s.rest()
		}
		f.serve(t)
		o := &order{}
		_, stop := f.run(t.TempDir(), o)
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if !slices.Equal(o.runs, offers) || o.worst != 1 {
			t.Errorf("trained %v, %d at a time, want %v, one at a time", o.runs, o.worst, offers)
		}
	})
}
