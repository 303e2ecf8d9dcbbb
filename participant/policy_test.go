package participant_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/hours"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/policy"
	"github.com/accord-fl/accord/participant/trainer"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

func gate(dir string, p policy.Policy) *policy.Gate {
	return &policy.Gate{Policy: p, Trainer: "builtin", Dir: dir, Log: zap.NewNop()}
}

// What the policy does not let out stays, whatever the task asks for.
func TestOnlyWhatThePolicyAllowsLeaves(t *testing.T) {
	for _, c := range []struct {
		name           string
		asked          bool
		policy         policy.Policy
		outcome        exchange.Outcome
		samples, steps int64
		metrics        bool
	}{
		{"asked and allowed", true, policy.Default(), exchange.Done, 12, 3, true},
		{"not asked", false, policy.Default(), exchange.Done, 0, 0, true},
		{"asked and not allowed", true, policy.Policy{ShareMetrics: true}, exchange.Declined, 0, 0, false},
		{"no metrics", true, policy.Policy{ShareSamples: true}, exchange.Done, 12, 3, false},
		{"nothing but the update", false, policy.Policy{}, exchange.Done, 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			blobs := newLocal(t)
			site := participant.Site{Name: "a", Trainer: trainerFunc(addHalf), Blobs: blobs, Policy: gate(t.TempDir(), c.policy)}
			task := testTask("a", store(t, blobs.Spool, testParams(1).Write))
			task.SendSamples = c.asked
			r := site.Do(t.Context(), task)
			if r.Outcome != c.outcome {
				t.Fatalf("got %s (%s), want %s", r.Outcome, r.Reason, c.outcome)
			}
			if u := r.Update; u != nil && (u.Samples != c.samples || u.Steps != c.steps || (len(u.Metrics) > 0) != c.metrics) {
				t.Errorf("got update %+v, want %d samples, %d steps, metrics %t", u, c.samples, c.steps, c.metrics)
			}
		})
	}
}

// unreachable has no artefacts and must not be asked for any.
type unreachable struct {
	participant.Blobs
	t *testing.T
}

func (u unreachable) Fetch(context.Context, exchange.Artefact) (participant.Blob, error) {
	u.t.Error("fetched a model that the policy does not allow to train")
	return nil, errors.New("unreachable")
}

func TestDeclinedBeforeAnythingIsFetched(t *testing.T) {
	p := policy.Default()
	p.MinCohort = 3
	site := participant.Site{Name: "a", Blobs: unreachable{t: t}, Policy: gate(t.TempDir(), p)}
	task := testTask("a", exchange.Artefact{Digest: strings.Repeat("0", 64), Bytes: 1})
	task.Cohort, task.Minimum = 5, 2
	r := site.Do(t.Context(), task)
	if r.Outcome != exchange.Declined || r.Later || !strings.Contains(r.Reason, "min_cohort") {
		t.Errorf("got %+v, want it declined by min_cohort", r)
	}
}

// A training under way at closing time is stopped and declined for now; the
// worker goes on.
func TestTrainingStopsAtClosingTime(t *testing.T) {
	open, err := hours.Parse([]string{"Mon-Sun 19:00-06:00"}, "UTC")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { // begins at midnight
		blobs := newLocal(t)
		p := policy.Default()
		p.Hours = open
		dir := t.TempDir()
		site := participant.Site{Name: "a", Blobs: blobs, Policy: gate(dir, p), Trainer: trainerFunc(
			func(ctx context.Context, _ exchange.Task, _ *model.Params) (trainer.Result, error) {
				<-ctx.Done()
				return trainer.Result{}, ctx.Err()
			})}
		begin := time.Now()
		r := site.Do(t.Context(), testTask("a", store(t, blobs.Spool, testParams(1).Write)))
		if got, want := time.Since(begin), 6*time.Hour; got != want {
			t.Errorf("stopped after %v, want %v", got, want)
		}
		if r.Outcome != exchange.Declined || !r.Later || !strings.Contains(r.Reason, "closing time") {
			t.Errorf("got %+v, want it declined for now", r)
		}
		if err := r.Validate(); err != nil {
			t.Error(err)
		}
		noted, err := os.ReadFile(filepath.Join(dir, policy.DecisionsFile))
		if err != nil || strings.Count(string(noted), "\n") != 2 || !strings.Contains(string(noted), "closing time") {
			t.Errorf("noted %q, error %v, want that it was allowed and stopped", noted, err)
		}
	})
}

// What inspect shows of an answer that waits is what is sent.
func TestInspectShowsWhatWillBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		cut := make(chan struct{})
		f.attend = func(n int, s *talk) error {
			if n == 0 {
				if err := s.offer(testTask("a", f.model(1))); err != nil {
					return err
				}
				<-cut // with the upload
				return lost
			}
			if _, err := s.reply(); err != nil {
				return err
			}
			return errors.Join(s.receipt("run/1/0/a", accordv1.Verdict_VERDICT_ACCEPTED), s.rest())
		}
		uploads := 0
		f.upload = func(*accordv1.UploadHeader, []byte) error {
			if uploads++; uploads > 1 {
				return nil
			}
			f.reach(false)
			close(cut)
			return lost
		}
		f.serve(t)
		dir := t.TempDir()
		g := gate(dir, policy.Policy{ShareSamples: true})
		o := f.options(dir)
		o.Policy = g
		_, stop := f.start(o, trainerFunc(addHalf))
		time.Sleep(time.Minute)

		in, err := participant.Inspect(o, g, "run")
		if err != nil {
			t.Fatal(err)
		}
		if in.Verdict != policy.Allow || !in.Update.Samples || len(in.Update.Metrics) > 0 || in.Hello.Name != "a" || len(in.Waiting) != 1 {
			t.Fatalf("got %+v, want one answer that waits, with samples and without metrics", in)
		}
		file := in.Waiting[0].Artefacts[0]
		want := []participant.Tensor{
			{Name: "00.kernel", Shape: []int{2, 3}, Min: 0.5, Max: 0.5, Norm: math.Sqrt(6 * 0.25)},
			{Name: "00.bias", Shape: []int{3}, Min: 0.5, Max: 0.5, Norm: math.Sqrt(3 * 0.25)},
		}
		if diff := cmp.Diff(want, file.Tensors); diff != "" {
			t.Errorf("tensors differ (-want +got):\n%s", diff)
		}
		if file.Bytes != in.Update.File {
			t.Errorf("the file has %d bytes, foretold were %d", file.Bytes, in.Update.File)
		}

		f.reach(true)
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(in.Waiting[0].Reply, f.last()); diff != "" {
			t.Errorf("another reply was sent (-shown +sent):\n%s", diff)
		}
		if got := f.uploaded[file.Digest]; int64(len(got)) != file.Bytes {
			t.Errorf("%d bytes were uploaded under the digest shown, want %d", len(got), file.Bytes)
		}
		if in, err := participant.Inspect(o, g, "run"); err != nil || len(in.Waiting) != 0 {
			t.Errorf("after it was sent: %d answers wait, error %v", len(in.Waiting), err)
		}
	})
}

func TestInspectKnowsOnlyWhatWasOffered(t *testing.T) {
	dir := t.TempDir()
	for _, run := range []string{"run", "../run", ""} {
		if _, err := participant.Inspect(participant.DefaultOptions(), gate(dir, policy.Default()), run); !errors.Is(err, fault.Input) {
			t.Errorf("%q: got error %v, want bad input", run, err)
		}
	}
}
