package coordinator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/registry"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/disk"
	"github.com/accord-fl/accord/internal/disk/disktest"
	"github.com/accord-fl/accord/internal/pki"
	"github.com/accord-fl/accord/internal/report"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// house is a coordinator all of whose files are on one disk.
type house struct {
	*world
	registry *registry.Registry
	logs     *observer.ObservedLogs
}

// openHouse opens journal, registry and spool of a folder that has been founded, as a
// process does that starts, and runs a coordinator on them.
func openHouse(t *testing.T, dir string, d disk.Disk) *house {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	h := &house{logs: logs}
	var records, members *journal.File
	o := Options{Log: zap.New(core), Away: 10 * time.Second, Grace: 10 * time.Second, Evaluator: half{}}
	o.Publisher = &Archive{Folder: func(run string) (report.Folder, error) {
		path := filepath.Join(dir, "runs", run)
		folder, err := report.OpenOn(d, path)
		if errors.Is(err, fs.ErrNotExist) {
			return report.CreateOn(d, path)
		}
		return folder, err
	}}
	var c *Coordinator
	err := AwaitDisk(t.Context(), o.Log, func() (err error) {
		records, members, err = journal.Folder{Dir: dir, Registry: true, Disk: d}.Open(false, func() (string, error) { return "", nil })
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, records.Close(), members.Close())
			}
		}()
		if h.registry, err = registry.Open(t.Context(), members); err != nil {
			return err
		}
		o.Journal = records
		if o.Spool, err = spool.Open(filepath.Join(dir, "spool"), spool.Options{Sync: true, Later: SmallArtefact, Disk: d}); err != nil {
			return err
		}
		c, err = New(t.Context(), o)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h.registry.AnchorIn(c.Anchor)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	h.world = &world{t: t, dir: dir, Coordinator: c, close: func() error {
		cancel()
		return errors.Join(<-ended, records.Close(), members.Close())
	}}
	return h
}

// half measures every model as half right.
type half struct{ Evaluator }

func (half) Evaluate(context.Context, *model.Spec, *model.File) (Measurement, error) {
	return Measurement{Test: &train.Evaluation{Accuracy: 0.5, Loss: 1}}, nil
}

// persist does what somebody outside does who is told that the disk is full: the
// same again, after a while.
func persist(do func() error) error {
	for {
		err := do()
		if !disk.Passing(err) {
			return err
		}
		time.Sleep(time.Second)
	}
}

// uploads is a site's answer whose update comes as over the wire, in two parts.
func (h *house) uploads(s *site) func(exchange.Task) exchange.Reply {
	return func(t exchange.Task) exchange.Reply {
		var file strings.Builder
		n := s.number * float32(t.Round)
		if err := params(n, n, n, n).Write(&file); err != nil {
			h.t.Error(err)
		}
		sum := sha256.Sum256([]byte(file.String()))
		digest, size := hex.EncodeToString(sum[:]), int64(file.Len())
		err := persist(func() (err error) {
			p, err := h.Spool().Resume(spool.Key{Digest: digest, Owner: s.name, Task: t.ID}, size)
			if errors.Is(err, spool.ErrExists) {
				return nil
			}
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.Close()) }()
			rest := file.String()[p.Offset():]
			for _, part := range []string{rest[:len(rest)/2], rest[len(rest)/2:]} {
				if _, err := io.WriteString(p, part); err != nil {
					return err
				}
			}
			return p.Finish()
		})
		if err != nil {
			h.t.Error(err)
		}
		return exchange.Reply{Task: t.ID, Outcome: exchange.Done, Update: &exchange.Update{
			Task: t.ID, Base: t.Model.Digest, Artefacts: map[string]exchange.Artefact{exchange.Delta: {Digest: digest, Bytes: size}}, Samples: 1, Steps: 1,
		}}
	}
}

// A run on a disk that was full for some calls.
type fullRun struct {
	calls  int
	log    []string
	status RunStatus
	waited int // lines of the log that say so
}

// runOnFullDisk starts a coordinator, submits a run of two rounds, lets two sites
// train, and invites and revokes another, while n calls of the disk fail from call
// number from on. What must hold in any case it checks.
func runOnFullDisk(t *testing.T, from, n int) (result fullRun) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := (journal.Folder{Dir: dir, Registry: true, Disk: disktest.New()}).Found(); err != nil {
			t.Fatal(err)
		}
		faulty := disktest.New()
		faulty.Fail(from, n)
		h := openHouse(t, dir, faulty)
		a, b := h.site("a", 1), h.site("b", 3)
		a.reply, b.reply = h.uploads(a), h.uploads(b)
		leave := attend(t.Context(), a, b)
		d := definition(2)
		d.MinSites, d.Retries = 2, 0
		err := persist(func() error {
			err := h.submit(d, params(1, 2, 3, 4))
			if _, unknown := h.State("r"); (err == nil) != (unknown == nil) {
				t.Errorf("submission: error %v, but of the run %v", err, unknown)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		later := time.Now().Add(24 * time.Hour)
		err = errors.Join(
			persist(func() error { return h.registry.Invite(t.Context(), "c", pki.HashSecret("secret"), "alice", later) }),
			persist(func() error { return h.registry.Revoke(t.Context(), pki.Participant, "c", "alice", "") }))
		if err != nil {
			t.Error(err)
		}
		result.status = h.end("r")
		time.Sleep(time.Minute)
		leave()
		if left, err := h.Spool().List(); err != nil || len(left) != 0 {
			t.Errorf("%d artefacts of the run that has ended stay in the spool, error %v", len(left), err)
		}
		if err := h.close(); err != nil {
			t.Error(err)
		}
		result.calls, result.log = faulty.Calls()
		result.waited = h.logs.FilterMessage("waiting for the disk").Len()
		checkPublished(t, filepath.Join(dir, "runs", "r"), result.status)
		checkReopened(t, dir, result.status)
	})
	return result
}

// checkPublished compares a run's folder with how the run has ended.
func checkPublished(t *testing.T, dir string, s RunStatus) {
	t.Helper()
	card, err := report.ReadModel(filepath.Join(dir, report.CardFile))
	if err != nil || card.Digest != s.Model {
		t.Errorf("published is model %.12s, error %v, want %.12s", card.Digest, err, s.Model)
	}
	file, err := os.ReadFile(filepath.Join(dir, report.ModelFile))
	if sum := sha256.Sum256(file); err != nil || hex.EncodeToString(sum[:]) != s.Model {
		t.Errorf("the published file has another digest, error %v", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, report.MetricsFile))
	if err != nil {
		t.Error(err)
	}
	rounds, err := report.ReadMetrics(filepath.Join(dir, report.MetricsFile))
	if err != nil || len(rounds) != len(s.Published) || strings.Count(string(text), "\n") != len(rounds) {
		t.Errorf("metrics of %d rounds, error %v, want one line for each of %d:\n%s", len(rounds), err, len(s.Published), text)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Errorf("%d files in the run's folder, error %v, want 3", len(files), err)
	}
}

// checkReopened lets another process find what has happened.
func checkReopened(t *testing.T, dir string, want RunStatus) {
	t.Helper()
	h := openHouse(t, dir, disktest.New())
	s, err := h.State("r")
	if err != nil || s.Phase != want.Phase || s.Model != want.Model {
		t.Errorf("the next process finds %+v, error %v", s, err)
	}
	if sites := h.registry.Sites(); len(sites) != 1 || sites[0].Status != registry.Revoked {
		t.Errorf("the next process finds sites %+v, want one that was revoked", sites)
	}
	if err := h.close(); err != nil {
		t.Error(err)
	}
}

// Whichever call of the disk fails, once or for a while: the run completes with the
// undisturbed model, of every answer, and nobody does anything for it but ask again
// what was refused.
func TestWhicheverCallOfTheDiskFailsTheRunCompletes(t *testing.T) {
	want := runOnFullDisk(t, 0, 0)
	if want.status.Phase != round.Completed || want.status.Counts.Accepted != 4 || want.calls < 60 || want.waited != 0 {
		t.Fatalf("undisturbed: %+v", want)
	}
	stride := 1
	if testing.Short() {
		stride = 7
	}
	for from := 1; from <= want.calls; from += stride {
		for _, n := range []int{1, 9} {
			got := runOnFullDisk(t, from, n)
			if got.status.Phase != round.Completed || got.status.Model != want.status.Model || got.status.Counts != want.status.Counts || len(got.status.Published) != 2 {
				t.Errorf("%d failures from call %d on, %s: got %+v", n, from, want.log[from-1], got.status)
			}
			if t.Failed() {
				t.Fatalf("at %d failures from call %d on, %s", n, from, strings.Join(got.log[from-1:min(len(got.log), from+n)], ", "))
			}
		}
	}
}

// While the disk is full whoever asks for something that must be recorded learns at
// once that it cannot be, and nothing of it stays or happens later. What is under way
// waits, says so once a minute, and goes on.
func TestWhatIsAskedForWhileTheDiskIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := (journal.Folder{Dir: dir, Registry: true, Disk: disktest.New()}).Found(); err != nil {
			t.Fatal(err)
		}
		faulty := disktest.New()
		h := openHouse(t, dir, faulty)
		a, b := h.site("a", 1), h.site("b", 3)
		a.reply, b.reply = h.uploads(a), h.uploads(b)
		d := definition(2)
		d.MinSites, d.Retries = 2, 0
		if err := h.submit(d, params(1, 2, 3, 4)); err != nil {
			t.Fatal(err)
		}
		faulty.Fail(1, 1<<30)
		leave := attend(t.Context(), a, b)
		synctest.Wait() // the selection of the cohort waits for the journal
		other := d
		other.Name = "other"
		later := time.Now().Add(24 * time.Hour)
		for range 3 { // as it begins, and in the middle
			began := time.Now()
			for name, err := range map[string]error{
				"submission": h.submit(other, params(5, 6, 7, 8)),
				"stop":       h.Stop(t.Context(), "r", "because"),
				"invitation": h.registry.Invite(t.Context(), "c", pki.HashSecret("secret"), "alice", later),
			} {
				if !disk.Passing(err) || time.Since(began) != 0 {
					t.Errorf("%s: got error %v after %v, want one of the disk at once", name, err, time.Since(began))
				}
			}
			time.Sleep(100 * time.Second)
		}
		if _, err := h.State("other"); !errors.Is(err, ErrNoRun) {
			t.Errorf("the run that was refused: %v", err)
		}
		if entries, err := os.ReadDir(filepath.Join(dir, "spool")); err != nil || len(entries) != 2 { // the model, and the folder of partials
			t.Errorf("%d entries in the spool, error %v, want 2", len(entries), err)
		}
		if said := h.logs.FilterMessage("waiting for the disk").Len(); said < 5 || said > 6 {
			t.Errorf("the log says %d times in five minutes that the disk is waited for", said)
		}
		faulty.Fail(0, 0)
		if last := h.end("r"); last.Phase != round.Completed || last.Counts.Accepted != 4 {
			t.Errorf("the run ended %+v", last)
		}
		if h.logs.FilterMessage("the disk works again").Len() != 1 {
			t.Error("the log does not say that the disk works again")
		}
		if err := errors.Join(h.submit(other, params(5, 6, 7, 8)), h.registry.Invite(t.Context(), "c", pki.HashSecret("secret"), "alice", later)); err != nil {
			t.Error(err)
		}
		if last := h.end("other"); last.Phase != round.Completed {
			t.Errorf("the run that was refused at first ended %+v", last)
		}
		leave()
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
}

// When the journal can be written, but the artefacts that a batch names cannot be
// made durable, requests of people are refused at once as well.
func TestWhatIsAskedForWhileTheSpoolIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := (journal.Folder{Dir: dir, Registry: true, Disk: disktest.New()}).Found(); err != nil {
			t.Fatal(err)
		}
		faulty := disktest.New()
		h := openHouse(t, dir, faulty)
		a, b := h.site("a", 1), h.site("b", 3)
		d := definition(2)
		d.MinSites, d.Retries = 2, 0
		if err := h.submit(d, params(1, 2, 3, 4)); err != nil {
			t.Fatal(err)
		}
		stored := make(chan struct{})
		a.reply = func(task exchange.Task) exchange.Reply {
			if task.Round == 1 {
				defer close(stored)
			}
			return a.honest(task)
		}
		b.reply = func(task exchange.Task) exchange.Reply {
			reply := b.honest(task)
			if task.Round == 1 {
				<-stored
				faulty.Only(string(filepath.Separator) + "spool" + string(filepath.Separator))
				faulty.Fail(1, 1<<30) // what is in the spool cannot be made durable
			}
			return reply
		}
		leave := attend(t.Context(), a, b)
		time.Sleep(time.Minute)
		began := time.Now()
		if err := h.Stop(t.Context(), "r", "because"); !disk.Passing(err) || time.Since(began) != 0 {
			t.Errorf("got error %v after %v, want one of the disk at once", err, time.Since(began))
		}
		faulty.Fail(0, 0)
		if last := h.end("r"); last.Phase != round.Completed || last.Counts.Accepted != 4 {
			t.Errorf("the run ended %+v", last)
		}
		leave()
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
}

// An evaluation whose folder does not take the program's files, before the program or
// after it, waits for the disk; a program that fails by itself fails.
func TestAProgramThatMeasuresOnAFullDisk(t *testing.T) {
	failing, err := exec.LookPath("false")
	if err != nil {
		t.Skip(err)
	}
	var data bytes.Buffer
	if err := params(1, 2, 3, 4).Write(&data); err != nil {
		t.Fatal(err)
	}
	f, err := model.OpenFile(bytes.NewReader(data.Bytes()), int64(data.Len()), contract)
	if err != nil {
		t.Fatal(err)
	}
	measure := func(d disk.Disk) error {
		p := Program{Command: []string{failing}, Dir: t.TempDir(), Limit: time.Minute, Disk: d}
		_, err := p.Evaluate(t.Context(), nil, f)
		if left, listed := os.ReadDir(p.Dir); listed != nil || len(left) != 0 {
			t.Errorf("%d files stay of the evaluation, error %v", len(left), listed)
		}
		return err
	}
	sound := disktest.New()
	if err := measure(sound); err == nil || disk.Passing(err) {
		t.Errorf("on a sound disk: got error %v, want the program's", err)
	}
	calls, log := sound.Calls()
	for from := 1; from <= calls; from++ {
		faulty := disktest.New()
		faulty.Fail(from, 1)
		if err := measure(faulty); !disk.Passing(err) {
			t.Errorf("%s fails: got error %v, want one of the disk", log[from-1], err)
		}
	}
}
