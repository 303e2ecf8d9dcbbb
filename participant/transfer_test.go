package participant_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/exchange"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

func TestUploadsThatFail(t *testing.T) {
	tests := []struct {
		name    string
		err     error
		outcome exchange.Outcome
		reason  string
		uploads int
	}{
		{"the bytes are refused", status.Error(codes.InvalidArgument, "bytes do not match their digest"), exchange.Failed, "do not match", 1},
		{"nobody waits for it", status.Error(codes.FailedPrecondition, "no run is open"), exchange.Done, "", 1},
		{"the coordinator's disk is full", status.Error(codes.Internal, "no space left"), exchange.Done, "", 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				uploads := 0
				f.upload = func(*accordv1.UploadHeader, []byte) error {
					if uploads++; uploads == 1 {
						return test.err
					}
					return nil
				}
				f.attend = func(_ int, s *talk) error {
					if err := s.offer(testTask("a", f.model(1))); err != nil {
						return err
					}
					got, err := s.reply()
					if err != nil {
						return err
					}
					return errors.Join(s.receipt(got.Task, accordv1.Verdict_VERDICT_NOTED), s.rest())
				}
				f.serve(t)
				trained := &counting{}
				_, stop := f.run(t.TempDir(), trained)
				time.Sleep(time.Minute)
				if err := stop(); err != nil {
					t.Error(err)
				}
				if got := f.last(); got.Outcome != test.outcome || !strings.Contains(got.Reason, test.reason) {
					t.Errorf("got %+v, want %s with %q", got, test.outcome, test.reason)
				}
				if uploads != test.uploads || trained.n != 1 {
					t.Errorf("%d uploads and %d trainings, want %d and 1", uploads, trained.n, test.uploads)
				}
			})
		})
	}
}

func TestDownloadsThatFail(t *testing.T) {
	tests := []struct {
		name    string
		change  func(f *fake, digest string)
		outcome exchange.Outcome
		reason  string
	}{
		{"not there", func(f *fake, d string) { delete(f.models, d) }, exchange.Failed, "no such artefact"},
		{"altered on the way", func(f *fake, d string) { f.models[d][20] ^= 1 }, exchange.Failed, "do not match their digest"},
		{"longer than announced", func(f *fake, d string) { f.models[d] = append(f.models[d], 0) }, exchange.Failed, "more bytes than allowed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				f.attend = func(_ int, s *talk) error {
					global := f.model(1)
					test.change(f, global.Digest)
					if err := s.offer(testTask("a", global)); err != nil {
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
				if got := f.last(); got.Outcome != test.outcome || !strings.Contains(got.Reason, test.reason) {
					t.Errorf("got %+v, want %s with %q", got, test.outcome, test.reason)
				}
			})
		})
	}
}

func TestADownloadOutlivesALostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.attend = func(n int, s *talk) error {
			global := f.model(1)
			if n == 0 {
				f.breakDownloads(true)
				err := s.offer(testTask("a", global))
				time.Sleep(10 * time.Second)
				return errors.Join(err, lost)
			}
			f.breakDownloads(false)
			got, err := s.reply()
			if err != nil {
				return err
			}
			return errors.Join(s.receipt(got.Task, accordv1.Verdict_VERDICT_ACCEPTED), s.rest())
		}
		f.serve(t)
		_, stop := f.run(t.TempDir(), trainerFunc(addHalf))
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := f.last(); got.Outcome != exchange.Done {
			t.Errorf("got %+v, want done", got)
		}
	})
}

func TestOldArtefactsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.attend = func(_ int, s *talk) error {
			for round := 1; round <= 4; round++ {
				task := testTask("a", f.model(float32(round)))
				task.ID, task.Round = "run/"+string(rune('0'+round)), round
				if err := s.offer(task); err != nil {
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
		dir := t.TempDir()
		_, stop := f.run(dir, trainerFunc(addHalf))
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if left := names(t, dir+"/artefacts"); len(left) > 3 {
			t.Errorf("%d artefacts after four rounds, want those of the last", len(left))
		}
	})
}
