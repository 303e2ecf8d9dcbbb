package participant_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/model"
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
				f.attend = f.one
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

// one has the fake offer one task and take its answer.
func (f *fake) one(_ int, s *talk) error {
	if err := s.offer(testTask("a", f.model(1))); err != nil {
		return err
	}
	return f.answered(s)
}

// answered takes an answer and rests.
func (f *fake) answered(s *talk) error {
	got, err := s.reply()
	if err != nil {
		return err
	}
	return errors.Join(s.receipt(got.Task, accordv1.Verdict_VERDICT_ACCEPTED), s.rest())
}

func TestADownloadGoesOnWhereItEnded(t *testing.T) {
	tests := []struct {
		name     string
		elements int
		spoil    bool // what had come is damaged
		want     []int64
	}{
		{"as it was", 1 << 18, false, []int64{0, 20}},
		{"damaged meanwhile", 1 << 18, true, []int64{0, 20, 0}},
		{"not worth a file", 4, false, []int64{0, 0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{cut: 20}
				f.attend = func(_ int, s *talk) error {
					p := model.NewParams(model.Contract{Tensors: []model.TensorSpec{{Name: "w", DType: "F32", Shape: []int{test.elements}}}})
					task := testTask("a", f.offered(p))
					task.Contract = p.Contract()
					if err := s.offer(task); err != nil {
						return err
					}
					return f.answered(s)
				}
				f.serve(t)
				dir := t.TempDir()
				_, stop := f.run(dir, trainerFunc(addHalf))
				synctest.Wait() // the download has broken off
				if test.spoil {
					partial := filepath.Join(dir, "artefacts", "partial")
					file, err := os.OpenFile(filepath.Join(partial, names(t, partial)[0]), os.O_RDWR, 0)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := file.WriteAt([]byte{0xff}, 12); err != nil {
						t.Fatal(err)
					}
					if err := file.Close(); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Minute)
				if err := stop(); err != nil {
					t.Error(err)
				}
				if got := f.last(); got.Outcome != exchange.Done {
					t.Errorf("got %+v, want done", got)
				}
				if !slices.Equal(f.offsets, test.want) {
					t.Errorf("downloads began at %v, want %v", f.offsets, test.want)
				}
			})
		})
	}
}

func TestAnUploadGoesOnWhereItEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.attend = f.one
		there, sent := int64(0), []int{}
		f.resume = func(*accordv1.UploadHeader) int64 { return there }
		f.upload = func(h *accordv1.UploadHeader, data []byte) error {
			if h.GetOffset() != there || h.GetOffset()+int64(len(data)) != h.GetSize() {
				t.Errorf("from %d on %d bytes came of %d; %d were there", h.GetOffset(), len(data), h.GetSize(), there)
			}
			if sent = append(sent, len(data)); len(sent) == 1 {
				there = 100
				return lost
			}
			return nil
		}
		f.serve(t)
		_, stop := f.run(t.TempDir(), trainerFunc(addHalf))
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := f.last(); got.Outcome != exchange.Done || len(sent) != 2 || sent[1] != sent[0]-100 {
			t.Errorf("got %+v after uploads of %v bytes, want done and 100 fewer in the second", got, sent)
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
