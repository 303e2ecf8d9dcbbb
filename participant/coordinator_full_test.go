package participant_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// A coordinator whose disk is full for minutes gets the update when there is room,
// over the same session; the log says so once a minute.
func TestAnUpdateWaitsForTheCoordinatorsDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.attend = func(_ int, s *talk) error {
			if err := s.offer(taskOf(f, ample(), 1)); err != nil {
				return err
			}
			r, err := s.reply()
			if err != nil {
				return err
			}
			return errors.Join(s.receipt(r.Task, accordv1.Verdict_VERDICT_ACCEPTED), s.rest())
		}
		room := time.Now().Add(5 * time.Minute)
		tries := 0
		f.upload = func(*accordv1.UploadHeader, []byte) error {
			if tries++; time.Now().Before(room) {
				return status.Error(codes.Unavailable, wire.DiskFull)
			}
			return nil
		}
		f.serve(t)
		logs, stop := f.start(f.options(t.TempDir()), trainerFunc(addHalf))
		time.Sleep(6 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := f.last(); got.Outcome != exchange.Done || f.attended != 1 || tries < 30 {
			t.Errorf("got %+v after %d sessions and %d tries, want it done in one", got, f.attended, tries)
		}
		if said := logs.FilterMessage("waiting for the coordinator's disk").Len(); said < 4 || said > 6 {
			t.Errorf("the log says so %d times in five minutes", said)
		}
	})
}
