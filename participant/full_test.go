package participant_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/checkpoint"
	"github.com/accord-fl/accord/internal/disk/disktest"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/policy"
	"github.com/accord-fl/accord/participant/trainer"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// ample are weights that go through a file.
func ample() *model.Params {
	p := model.NewParams(model.Contract{Tensors: []model.TensorSpec{{Name: "w", DType: "F32", Shape: []int{600, 600}}}})
	for i := range p.Flat() {
		p.Flat()[i] = float32(i)
	}
	return p
}

// taskOf asks for a round that starts from p.
func taskOf(f *fake, p *model.Params, round int) exchange.Task {
	return exchange.Task{
		ID: fmt.Sprintf("run/%d.0/train/a", round), Run: "run", Round: round, Exchange: exchange.Training, Participant: "a",
		Model: f.offered(p), Contract: p.Contract(), SendSamples: true,
		Plan: train.Plan{Epochs: 1, Batch: 1, Optimizer: optim.Config{Name: "sgd", LR: 0.1}},
	}
}

// A round of a site whose disk is full for n of its steps, from step on; 0: none.
type fullRound struct {
	steps   int
	log     []string
	replies []exchange.Reply
	trained int
	waited  int // lines in the log that say so
	goes    int // and that it is over
}

func roundOnFullDisk(t *testing.T, step, n int) (result fullRound) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{journal: newNotary(t, checkpoint.NewOrigin()).at("1111111111111111", 5, 0)}
		f.attend = func(_ int, s *talk) error {
			if err := s.offer(taskOf(f, ample(), 1)); err != nil {
				return err
			}
			r, err := s.reply()
			if err != nil {
				return err
			}
			time.Sleep(time.Minute) // the site makes its answer durable
			return errors.Join(s.receipt(r.Task, accordv1.Verdict_VERDICT_ACCEPTED), s.rest())
		}
		f.serve(t)
		faulty := disktest.New()
		faulty.Fail(step, n)
		o := f.options(t.TempDir())
		g := gate(o.Dir, policy.Default())
		g.Disk, o.Disk, o.Policy = faulty, faulty, g
		trained := &counting{}
		logs, stop := f.start(o, trained)
		time.Sleep(10 * time.Minute)
		if err := stop(); err != nil {
			t.Errorf("step %d: Run returned %v", step, err)
		}
		if left := unanswered(t, o.Dir); len(left) != 0 {
			t.Errorf("step %d: the outbox holds %v after the receipt", step, left)
		}
		if f.attended != 1 {
			t.Errorf("step %d: attended %d times", step, f.attended)
		}
		result.steps, result.log = faulty.Calls()
		result.replies, result.trained = f.replies, trained.n
		result.waited = logs.FilterMessage("disk full: waiting").Len()
		result.goes = logs.FilterMessage("the disk is waited for no longer").Len()
	})
	return result
}

// Whichever write, fsync or rename of a round fails, once or for a while, the
// site goes on by itself, with the same update and without training again.
func TestADiskThatIsFullForAWhileCostsNothing(t *testing.T) {
	want := roundOnFullDisk(t, 0, 0)
	if len(want.replies) != 1 || want.replies[0].Outcome != exchange.Done || want.steps < 20 {
		t.Fatalf("got %+v of a round on a sound disk", want)
	}
	for step := 1; step <= want.steps; step++ {
		for _, n := range []int{1, 7} {
			got := roundOnFullDisk(t, step, n)
			if len(got.replies) != 1 || got.replies[0].Outcome != exchange.Done || got.trained != 1 ||
				got.replies[0].Update.Artefacts[exchange.Delta] != want.replies[0].Update.Artefacts[exchange.Delta] {
				t.Errorf("%d failures from step %d on, %s: got %+v", n, step, want.log[step-1], got)
			}
			if got.waited > 2 || got.goes != got.waited {
				t.Errorf("%d failures from step %d on: the log says %d times that the disk is full and %d that it is over", n, step, got.waited, got.goes)
			}
		}
	}
}

// A task that cannot wait for the disk is declined for now, by its deadline, and
// nothing about the site's folders leaves.
func TestATaskThatCannotWaitForTheDiskIsDeclinedForNow(t *testing.T) {
	want := roundOnFullDisk(t, 0, 0)
	for step := 1; step <= want.steps; step++ {
		if strings.Contains(want.log[step-1], "outbox") { // replies leave without their file
			break
		}
		synctest.Test(t, func(t *testing.T) {
			f := &fake{journal: newNotary(t, checkpoint.NewOrigin()).at("1111111111111111", 5, 0)}
			f.attend = func(_ int, s *talk) error {
				task := taskOf(f, ample(), 1)
				task.Deadline = time.Now().Add(time.Minute)
				if err := s.offerAt(task, time.Now()); err != nil {
					return err
				}
				r, err := s.reply()
				if err != nil {
					return err
				}
				return errors.Join(s.receipt(r.Task, accordv1.Verdict_VERDICT_NOTED), s.rest())
			}
			f.serve(t)
			faulty := disktest.New()
			faulty.Fail(step, 1<<30)
			o := f.options(t.TempDir())
			g := gate(o.Dir, policy.Default())
			g.Disk, o.Disk, o.Policy = faulty, faulty, g
			_, stop := f.start(o, trainerFunc(addHalf))
			time.Sleep(10 * time.Minute)
			if err := stop(); err != nil {
				t.Errorf("step %d: Run returned %v", step, err)
			}
			got := f.last()
			if got.Outcome != exchange.Declined || !got.Later || strings.Contains(got.Reason, "/") {
				t.Errorf("full from step %d on, %s: got %+v, want it declined for now and no path", step, want.log[step-1], got)
			}
		})
	}
}

// What a coordinator sends leaves the reserve of the disk free, and room for the
// update.
func TestTheReserveStaysFree(t *testing.T) {
	size := ample().Contract().Bytes()
	for _, c := range []struct {
		name    string
		free    int64 // beyond the reserve, before the download
		trainer string
		outcome exchange.Outcome
	}{
		{"room for model and update", 3 * size, "builtin", exchange.Done},
		{"room for the model only", 3 * size / 2, "builtin", exchange.Declined},
		{"no room for a program's copies", 3 * size, "exec", exchange.Declined},
		{"less than the reserve", -1, "builtin", exchange.Declined},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				f.attend = func(_ int, s *talk) error {
					if err := s.offer(taskOf(f, ample(), 1)); err != nil {
						return err
					}
					_, err := s.reply()
					return errors.Join(err, s.rest())
				}
				f.serve(t)
				o := f.options(t.TempDir())
				o.Policy, o.Capabilities.Trainer = gate(o.Dir, policy.Default()), c.trainer
				o.Reserve = policy.Reserve{Percent: 10}
				o.Space = func(string) (free, all uint64, err error) { return uint64(1e9 + c.free), 1e10, nil }
				_, stop := f.start(o, trainerFunc(addHalf))
				time.Sleep(time.Minute)
				if err := stop(); err != nil {
					t.Error(err)
				}
				got := f.last()
				if got.Outcome != c.outcome || got.Later != (c.outcome == exchange.Declined) {
					t.Errorf("got %+v, want %s", got, c.outcome)
				}
				if got.Later && (!strings.Contains(got.Reason, policy.RuleDiskReserve) || len(f.offsets) > 0) {
					t.Errorf("got reason %q and %d downloads, want the rule and none", got.Reason, len(f.offsets))
				}
				noted, _, err := policy.Records{Dir: o.Dir}.NotAllowed("run", 10)
				if err != nil || got.Later != (len(noted) == 1) {
					t.Errorf("noted %+v, error %v", noted, err)
				}
			})
		})
	}
}

// A disk that others fill during a download stops it, and nothing of it stays.
func TestADownloadStopsAtTheReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := model.NewParams(model.Contract{Tensors: []model.TensorSpec{{Name: "w", DType: "F32", Shape: []int{6 << 20}}}})
		f := &fake{}
		f.attend = func(_ int, s *talk) error {
			if err := s.offer(taskOf(f, p, 1)); err != nil {
				return err
			}
			_, err := s.reply()
			return errors.Join(err, s.rest())
		}
		f.serve(t)
		o := f.options(t.TempDir())
		o.Reserve = policy.Reserve{Bytes: 1e9}
		looks := 0
		o.Space = func(string) (free, all uint64, err error) {
			if looks++; looks > 1 {
				return 1e9, 1e10, nil
			}
			return 1e10, 1e10, nil
		}
		_, stop := f.start(o, trainerFunc(addHalf))
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := f.last(); got.Outcome != exchange.Declined || !got.Later || looks != 2 {
			t.Errorf("got %+v after %d looks, want it declined for now at the second", got, looks)
		}
		if left := names(t, o.Dir+"/artefacts/partial"); len(left) != 0 {
			t.Errorf("%v stay of the download", left)
		}
	})
}

// Of downloads that are refused nothing stays, and of those that were given up
// nothing after a while.
func TestNothingStaysOfADownloadThatWasGivenUp(t *testing.T) {
	for name, more := range map[string]struct {
		offer func(f *fake, s *talk) error
		after time.Duration
	}{
		"refused": {func(f *fake, s *talk) error {
			task := taskOf(f, ample(), 1)
			f.mu.Lock()
			f.models[task.Model.Digest] = append(f.models[task.Model.Digest], 0)
			f.mu.Unlock()
			return s.offer(task)
		}, time.Minute},
		"withdrawn": {func(f *fake, s *talk) error {
			task := taskOf(f, ample(), 1)
			f.mu.Lock()
			f.cut = 1 << 10
			f.mu.Unlock()
			err := s.offer(task)
			time.Sleep(time.Millisecond)
			f.breakDownloads(true)
			time.Sleep(10 * time.Second)
			return errors.Join(err, s.cancel(task.ID))
		}, 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				f.attend = func(_ int, s *talk) error { return errors.Join(more.offer(f, s), s.rest()) }
				f.serve(t)
				dir := t.TempDir()
				_, stop := f.run(dir, trainerFunc(addHalf))
				time.Sleep(more.after)
				if err := stop(); err != nil {
					t.Error(err)
				}
				if left := names(t, dir+"/artefacts/partial"); len(left) != 0 || len(f.offsets) == 0 {
					t.Errorf("%v stay of %d downloads", left, len(f.offsets))
				}
			})
		})
	}
}

// The files of a task for a program wait for the disk, too.
func TestAProgramsFilesWaitForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{attend: nil}
		f.attend = f.one
		f.serve(t)
		tries := 0
		_, stop := f.run(t.TempDir(), trainerOnDisk(func() error {
			if tries++; tries < 4 {
				return fmt.Errorf("%w: %w", trainer.ErrDisk, errFull)
			}
			return nil
		}))
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := f.last(); got.Outcome != exchange.Done || tries != 4 {
			t.Errorf("got %+v after %d tries, want it done at the fourth", got, tries)
		}
	})
}

// errFull is what a full disk says.
var errFull = &fs.PathError{Op: "write", Path: "/secret/place", Err: syscall.ENOSPC}

// trainerOnDisk trains with addHalf once its disk allows it.
type trainerOnDisk func() error

func (d trainerOnDisk) Train(ctx context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	if err := d(); err != nil {
		return trainer.Result{}, err
	}
	return trainerFunc(addHalf).Train(ctx, t, global, done)
}

var _ participant.Trainer = trainerOnDisk(nil)
