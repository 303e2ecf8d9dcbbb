package participant_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	"github.com/accord-fl/accord/participant/trainer"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// damages are what may happen to a file of a site's artefacts.
var damages = map[string]func(path string) error{
	"flipped": func(path string) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data[len(data)-2] ^= 4
		return os.WriteFile(path, data, 0o600)
	},
	"cut": func(path string) error { return os.Truncate(path, 1000) },
	"exchanged": func(path string) error {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return errors.Join(large(7).Write(file), file.Close())
	},
	"removed": os.Remove,
}

// large are weights that are worth a file.
func large(from float32) *model.Params {
	p := model.NewParams(model.Contract{Tensors: []model.TensorSpec{{Name: "w", DType: "F32", Shape: []int{1 << 18}}}})
	for i := range p.Flat() {
		p.Flat()[i] = from + float32(i%100)
	}
	return p
}

// offerLarge offers task n on the large model.
func (s *talk) offerLarge(n int) error {
	p := large(1)
	task := testTask("a", s.fake.offered(p))
	task.ID, task.Contract = fmt.Sprintf("run/%d", n), p.Contract()
	return s.offer(task)
}

// saboteur trains like addHalf, and damages what it was given first.
type saboteur struct {
	dir    string
	damage func(path string) error // once; nil: none
	failed error
	n      int
}

func (s *saboteur) Train(ctx context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	if s.n++; s.damage != nil {
		s.failed = s.damage(filepath.Join(s.dir, "artefacts", t.Model.Digest))
		s.damage = nil
	}
	return trainerFunc(addHalf).Train(ctx, t, global, done)
}

// wantUpdate checks that the answer is the update of a training that nothing has
// disturbed, and that its bytes have come.
func (f *fake) wantUpdate(t *testing.T) {
	t.Helper()
	half := large(1)
	for i := range half.Flat() {
		half.Flat()[i] = 0.5
	}
	got := f.last()
	if got.Outcome != exchange.Done {
		t.Errorf("got %s (%s), want done", got.Outcome, got.Reason)
		return
	}
	digest := got.Update.Artefacts[exchange.Delta].Digest
	f.mu.Lock()
	defer f.mu.Unlock()
	if sum := sha256.Sum256(f.uploaded[digest]); digest != half.Digest() || hex.EncodeToString(sum[:]) != digest {
		t.Errorf("got update %.12s of %d bytes, want %.12s", digest, len(f.uploaded[digest]), half.Digest())
	}
}

// A global model that a site has kept, and that is damaged when it is wanted
// again, or while it is read, is fetched again: it trains on the right one.
func TestAKeptModelIsDamaged(t *testing.T) {
	for name, damage := range damages {
		for _, when := range []string{"between two tasks", "in training", "while the participant is stopped"} {
			t.Run(name+" "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					dir, path := t.TempDir(), ""
					path = filepath.Join(dir, "artefacts", large(1).Digest())
					f := &fake{}
					f.attend = func(n int, s *talk) error {
						for task := range 2 {
							if task == 1 && n == 0 {
								switch when {
								case "between two tasks":
									if err := damage(path); err != nil {
										t.Error(err)
									}
								case "while the participant is stopped":
									return s.rest()
								}
							}
							if err := s.offerLarge(2*n + task); err != nil {
								return err
							}
							r, err := s.reply()
							if err != nil {
								return err
							}
							if err := s.receipt(r.Task, accordv1.Verdict_VERDICT_ACCEPTED); err != nil {
								return err
							}
						}
						return s.rest()
					}
					f.serve(t)
					trainer := &saboteur{dir: dir}
					if when == "in training" {
						trainer.damage = damage
					}
					_, stop := f.run(dir, trainer)
					time.Sleep(time.Minute)
					if err := errors.Join(stop(), trainer.failed); err != nil {
						t.Error(err)
					}
					if when == "while the participant is stopped" {
						if err := damage(path); err != nil {
							t.Error(err)
						}
						_, stop = f.run(dir, trainer)
						time.Sleep(time.Minute)
						if err := stop(); err != nil {
							t.Error(err)
						}
					}
					f.wantUpdate(t)
					// A file that is removed while it is open is still read.
					unharmed := name == "removed" && when == "in training"
					if again := len(f.offsets) - 1; again != 1 && !unharmed {
						t.Errorf("the model was fetched %d times again, want once", again)
					}
				})
			})
		}
	}
}

// An update of its own that is damaged before it has left is trained again when
// the task is offered again.
func TestAnUpdateIsDamagedBeforeItLeaves(t *testing.T) {
	for name, damage := range damages {
		for _, when := range []string{"during the upload", "while the participant is stopped"} {
			t.Run(name+" "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					dir := t.TempDir()
					f := &fake{}
					f.attend = func(_ int, s *talk) error {
						if err := s.offerLarge(1); err != nil {
							return err
						}
						return f.answered(s)
					}
					path, uploads := "", 0
					f.upload = func(h *accordv1.UploadHeader, _ []byte) error {
						uploads++
						path = filepath.Join(dir, "artefacts", h.GetDigest())
						switch {
						case when == "during the upload" && uploads == 1:
							return errors.Join(damage(path), lost)
						case when != "during the upload" && path != "" && uploads < 3:
							return lost
						}
						return nil
					}
					f.serve(t)
					trainer := &counting{}
					_, stop := f.run(dir, trainer)
					if when != "during the upload" {
						time.Sleep(100 * time.Millisecond) // the upload has failed once
						if err := errors.Join(stop(), damage(path)); err != nil {
							t.Error(err)
						}
						_, stop = f.run(dir, trainer)
					}
					time.Sleep(time.Minute)
					if err := stop(); err != nil {
						t.Error(err)
					}
					f.wantUpdate(t)
					unharmed := name == "removed" && when == "during the upload"
					if trainer.n != 2 && !unharmed {
						t.Errorf("trained %d times, want twice", trainer.n)
					}
				})
			})
		}
	}
}

// Weights that are finite may differ by more than is: the site says so, and says
// what to look at, instead of sending an update that would be refused.
func TestADifferenceThatOverflows(t *testing.T) {
	flip := trainerFunc(func(_ context.Context, _ exchange.Task, p *model.Params) (trainer.Result, error) {
		p.Flat()[4] = -3e38
		return trainer.Result{Samples: 1, Steps: 1}, nil
	})
	for _, confided := range []bool{false, true} {
		blobs := newLocal(t)
		site := participant.Site{Name: "a", Trainer: flip, Blobs: blobs}
		var told error
		if confided {
			site.Confide = func(_ string, err error) { told = err }
		}
		global := testParams(1)
		global.Flat()[4] = 3e38
		r := site.Do(t.Context(), testTask("a", store(t, blobs.Spool, global.Write)))
		if r.Outcome != exchange.Failed || !r.Diverged || !strings.Contains(r.Reason, "scale of the site's inputs") || !strings.Contains(r.Reason, "learning rate") {
			t.Errorf("got %+v", r)
		}
		if err := r.Validate(); err != nil || confided != (told != nil) {
			t.Errorf("validate: %v, confided: %v", err, told)
		}
		if all, err := blobs.List(); err != nil || len(all) != 1 {
			t.Errorf("%d artefacts (%v), want the global model alone", len(all), err)
		}
	}
}
