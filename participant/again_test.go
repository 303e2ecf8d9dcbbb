package participant_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/policy"
	"github.com/accord-fl/accord/participant/trainer"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// A coordinator that was restored offers, over the connection that is still
// open, a task that the site has answered, and waits for the answer.
func TestATaskThatWasAnsweredIsAnsweredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.attend = func(_ int, s *talk) error {
			task := testTask("a", f.model(1))
			for _, verdict := range []accordv1.Verdict{accordv1.Verdict_VERDICT_LATE, accordv1.Verdict_VERDICT_ACCEPTED} {
				if err := s.offer(task); err != nil {
					return err
				}
				if _, err := s.reply(); err != nil {
					return err
				}
				if err := s.receipt(task.ID, verdict); err != nil {
					return err
				}
				time.Sleep(time.Second)
			}
			return s.rest()
		}
		f.serve(t)
		_, stop := f.run(t.TempDir(), trainerFunc(addHalf))
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if len(f.replies) != 2 || f.replies[1].Outcome != exchange.Done {
			t.Errorf("got %+v, want the task answered twice", f.replies)
		}
	})
}

// A reply names the offer that it answers, also after a restart.
func TestAReplyNamesItsOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		var got [][]byte
		task := exchange.Task{}
		f.attend = func(n int, s *talk) error {
			if n == 0 {
				task = testTask("a", f.model(1))
				if err := s.offer(task); err != nil {
					return err
				}
			}
			for {
				m, err := s.Recv()
				if err != nil {
					return err
				}
				if m.GetReply() == nil {
					continue
				}
				got = append(got, m.GetReply().GetOfferDigest())
				if n == 0 {
					f.reach(false)
					return lost
				}
				return errors.Join(s.receipt(task.ID, accordv1.Verdict_VERDICT_ACCEPTED), s.rest())
			}
		}
		f.serve(t)
		dir := t.TempDir()
		_, stop := f.run(dir, trainerFunc(addHalf))
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		f.reach(true)
		_, stop = f.run(dir, trainerFunc(addHalf))
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		payload, err := json.Marshal(task)
		if err != nil {
			t.Fatal(err)
		}
		want := sha256.Sum256(payload)
		if len(got) != 2 || !bytes.Equal(got[0], want[:]) || !bytes.Equal(got[1], want[:]) {
			t.Errorf("got %x, want %x twice", got, want)
		}
	})
}

// The version before kept a reply alone, and reads one that this version keeps.
func TestTheOutboxOfTheVersionBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.attend = func(_ int, s *talk) error {
			if err := s.offer(testTask("a", f.model(1))); err != nil { // as a coordinator does on attendance
				return err
			}
			_, err := s.reply()
			return errors.Join(err, s.rest())
		}
		f.serve(t)
		dir := t.TempDir()
		old := exchange.Reply{Task: "run/1/0/a", Outcome: exchange.Declined, Reason: "kept by an older version"}
		data, err := json.Marshal(old)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "outbox", fmt.Sprintf("%x.json", sha256.Sum256([]byte(old.Task))))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, data, 0o644)); err != nil {
			t.Fatal(err)
		}
		trained := &counting{}
		_, stop := f.run(dir, trained)
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := f.last(); got.Reason != old.Reason || trained.n != 0 {
			t.Errorf("got %+v after %d trainings, want the reply that was kept", got, trained.n)
		}
	})
}

// Another document under the id of a task replaces it, wherever the former one
// is: waiting, in training or answered.
func TestAnotherTaskOfTheSameID(t *testing.T) {
	for _, state := range []string{"answered", "in training", "waiting"} {
		t.Run(state, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				var want exchange.Artefact
				f.attend = func(n int, s *talk) error {
					if n == 0 && state == "answered" {
						if err := s.offer(testTask("a", f.model(1))); err != nil {
							return err
						}
						_, err := s.reply()
						return errors.Join(err, lost)
					}
					blocker, former := testTask("a", f.model(1)), testTask("a", f.model(1))
					blocker.ID, blocker.Run = "other/1.0/train/a", "other"
					var err error
					switch state {
					case "waiting":
						err = errors.Join(s.offer(blocker), s.offer(former))
					case "in training":
						err = s.offer(former)
					}
					time.Sleep(time.Second)
					want = f.model(2)
					err = errors.Join(err, s.offer(testTask("a", want)))
					time.Sleep(time.Second)
					err = errors.Join(err, s.cancel(blocker.ID))
					if err != nil {
						return err
					}
					for {
						r, err := s.reply()
						if err != nil {
							return err
						}
						if err := s.receipt(r.Task, accordv1.Verdict_VERDICT_ACCEPTED); err != nil {
							return err
						}
					}
				}
				f.serve(t)
				_, stop := f.run(t.TempDir(), &slowFirst{})
				time.Sleep(time.Minute)
				if err := stop(); err != nil {
					t.Error(err)
				}
				got := f.last()
				if got.Outcome != exchange.Done || got.Update.Base != want.Digest {
					t.Errorf("got %+v, want the answer to the second document", got)
				}
			})
		})
	}
}

// slowFirst trains until it is stopped, the first time, and then at once.
type slowFirst struct{ begun bool }

func (s *slowFirst) Train(ctx context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	if !s.begun {
		s.begun = true
		select {
		case <-ctx.Done():
			return trainer.Result{}, ctx.Err()
		case <-time.After(5 * time.Second):
		}
	}
	return trainerFunc(addHalf).Train(ctx, t, global, done)
}

// For one run and round a site answers one model and plan, whatever the ids say,
// and shows what else was asked.
func TestARoundIsAnsweredForOnePlan(t *testing.T) {
	for _, manual := range []bool{false, true} {
		t.Run(fmt.Sprintf("manual %t", manual), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				const asked = 60
				f.attend = func(_ int, s *talk) error {
					model := f.model(1)
					for i := range asked {
						task := testTask("a", model)
						task.ID, task.Rounds = fmt.Sprintf("run/1.%d/train/a", i), 1
						task.Plan.Optimizer.LR /= float64(1 + i/2) // each rate twice
						if err := s.offer(task); err != nil {
							return err
						}
						if _, err := s.reply(); err != nil {
							return err
						}
						if err := s.receipt(task.ID, accordv1.Verdict_VERDICT_NOTED); err != nil {
							return err
						}
					}
					return s.rest()
				}
				f.serve(t)
				o := f.options(t.TempDir())
				p := policy.Default()
				p.Manual = manual
				g := gate(o.Dir, p)
				o.Policy = g
				if manual {
					task := testTask("a", exchange.Artefact{Digest: strings.Repeat("0", 64), Bytes: 1})
					task.Rounds = 1
					if _, err := g.Admit(task); err == nil {
						t.Fatal("allowed without approval")
					}
					if _, err := (policy.Records{Dir: o.Dir}).Approve("run", "", "Dr. A. Meyer", time.Now()); err != nil {
						t.Fatal(err)
					}
				}
				_, stop := f.start(o, trainerFunc(addHalf))
				time.Sleep(time.Minute)
				in, _, err := (policy.Records{Dir: o.Dir}).NotAllowed("run", asked)
				shown, errShown := participant.Inspect(o, g, "run")
				if errShown != nil || shown.Verdict != policy.Decline || shown.Rule != policy.RuleMaxRepeats || shown.Answered != 1 || len(shown.NotAllowed) == 0 {
					t.Errorf("inspect shows %+v, error %v, want that the last task was declined", shown, errShown)
				}
				if err := errors.Join(err, stop()); err != nil {
					t.Error(err)
				}
				done := 0
				for _, r := range f.replies {
					switch {
					case r.Outcome == exchange.Done:
						done++
					case r.Later || !strings.Contains(r.Reason, "answers each round once"):
						t.Errorf("got %+v, want it declined for good", r)
					}
				}
				if done != 2 || len(f.replies) != asked {
					t.Errorf("%d of %d answered with an update, want 2 of %d: the first question, twice", done, len(f.replies), asked)
				}
				if len(in) < asked-2 {
					t.Errorf("%d decisions are shown, want %d", len(in), asked-2)
				}
			})
		})
	}
}

// What a power cut or a bad disk has made of an answer keeps nobody from starting:
// the file goes, the log names it, and the task is trained again.
func TestAnAnswerThatCannotBeRead(t *testing.T) {
	for name, damaged := range map[string]string{
		"a part of it":     `{"task":"a","outco`,
		"and zeros":        `{"task":"a","outco` + strings.Repeat("\x00", 64),
		"a flipped bit":    `{"task":"a","outcome":"eone"}`,
		"something else's": `{"run":"a"}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				f.attend = func(_ int, s *talk) error {
					task := testTask("a", f.model(1))
					if err := s.offer(task); err != nil {
						return err
					}
					if _, err := s.reply(); err != nil {
						return err
					}
					return errors.Join(s.receipt(task.ID, accordv1.Verdict_VERDICT_ACCEPTED), s.rest())
				}
				f.serve(t)
				dir := t.TempDir()
				file := filepath.Join(dir, "outbox", fmt.Sprintf("%x.json", sha256.Sum256([]byte("a"))))
				if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(damaged), 0o600)); err != nil {
					t.Fatal(err)
				}
				logs, stop := f.run(dir, trainerFunc(addHalf))
				time.Sleep(time.Minute)
				if err := stop(); err != nil {
					t.Error(err)
				}
				if len(f.replies) != 1 || f.replies[0].Outcome != exchange.Done {
					t.Errorf("got %+v, want the task answered", f.replies)
				}
				said := false
				for _, e := range logs.All() {
					said = said || e.ContextMap()["file"] == file
				}
				if !said {
					t.Error("the log does not name the file")
				}
			})
		})
	}
}
