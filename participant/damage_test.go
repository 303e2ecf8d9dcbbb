package participant_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/participant/trainer"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// flip changes the last bit of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		data[len(data)-1] ^= 1
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}

// An update that is damaged on the disk before it has left is trained again, to the
// same digest.
func TestADamagedUpdateIsTrainedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		spoil     func(t *testing.T, path string)
		trainings int
	}{
		"flipped":   {flip, 2},
		"truncated": {func(t *testing.T, path string) { check(t, os.Truncate(path, 10)) }, 2},
		"removed":   {func(t *testing.T, path string) { check(t, os.Remove(path)) }, 1}, // it is open, and whole
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				f.attend = func(_ int, s *talk) error {
					if err := s.offer(testTask("a", f.model(1))); err != nil { // as a coordinator does on attendance
						return err
					}
					r, err := s.reply()
					if err != nil {
						return err
					}
					return errors.Join(s.receipt(r.Task, accordv1.Verdict_VERDICT_ACCEPTED), s.rest())
				}
				dir := t.TempDir()
				first := ""
				f.upload = func(h *accordv1.UploadHeader, _ []byte) error {
					if first != "" {
						return nil
					}
					first = h.GetDigest()
					c.spoil(t, filepath.Join(dir, "artefacts", first))
					return lost
				}
				f.serve(t)
				trained := &counting{}
				_, stop := f.run(dir, trained)
				time.Sleep(5 * time.Minute)
				check(t, stop())
				if got := f.last(); got.Outcome != exchange.Done || got.Update.Artefacts[exchange.Delta].Digest != first || trained.n != c.trainings {
					t.Errorf("got %+v after %d trainings, want the same update after %d", got, trained.n, c.trainings)
				}
			})
		})
	}
}

// A global model that is damaged on the site's disk comes again.
func TestADamagedModelComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		p := large()
		f.attend = func(_ int, s *talk) error {
			if err := s.offer(taskOf(f, p, 1)); err != nil {
				return err
			}
			_, err := s.reply()
			return errors.Join(err, s.rest())
		}
		f.serve(t)
		dir := t.TempDir()
		b := &spoiling{spoil: func() { flip(t, filepath.Join(dir, "artefacts", p.Digest())) }}
		_, stop := f.run(dir, b)
		time.Sleep(time.Minute)
		check(t, stop())
		if got := f.last(); got.Outcome != exchange.Done || b.n != 2 || len(f.offsets) != 2 {
			t.Errorf("got %+v after %d trainings and %d downloads, want it done after two of each", got, b.n, len(f.offsets))
		}
	})
}

// spoiling has the global model damaged as the first training begins.
type spoiling struct {
	n     int
	spoil func()
}

func (s *spoiling) Train(ctx context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	if s.n++; s.n == 1 {
		s.spoil()
	}
	return trainerFunc(addHalf).Train(ctx, t, global, done)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
