package rpc_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/journal"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/checkpoint"
	"github.com/accord-fl/accord/internal/spool"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/policy"
	"github.com/accord-fl/accord/participant/trainer"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// signing is a coordinator without certificates, whose journal signs checkpoints;
// it is killed, and its folder put back, while sites go on.
type signing struct {
	t   *testing.T
	dir string

	mu  sync.Mutex
	now *node
}

func newSigning(t *testing.T) *signing {
	s := &signing{t: t, dir: filepath.Join(t.TempDir(), "state")}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *signing) folder() journal.Folder { return journal.Folder{Dir: s.dir} }

// rise starts a process.
func (s *signing) rise() *node {
	s.t.Helper()
	file, _, err := s.folder().Open(true, func() (string, error) { return "", nil })
	if err != nil {
		s.t.Fatal(err)
	}
	blobs, err := spool.Open(filepath.Join(s.dir, "spool"), spool.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	o := coordinator.Options{Journal: file, Custody: file, Spool: blobs, Log: zap.New(core), Grace: coordinator.DefaultGrace}
	c, err := coordinator.New(s.t.Context(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	driven := make(chan error, 1)
	go func() { driven <- c.Run(ctx) }()
	served := serveLogged(s.t, c, c, func(o *rpc.Options) { o.StopWithin = 0 }, zap.NewNop())
	n := &node{served, c, logs, sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(served.stop(), <-driven, file.Close()); err != nil {
			s.t.Error(err)
		}
	})}
	s.t.Cleanup(n.kill)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = n
	return n
}

func (s *signing) newest() *node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// site attends whatever process is the newest, and trains for a second.
func (s *signing) site(name string) (trained *steady, logs *observer.ObservedLogs) {
	o := participant.DefaultOptions()
	o.Name, o.Coordinator, o.Insecure, o.Dial, o.Dir = name, address, true, dialing(s.newest), s.t.TempDir()
	o.Reserve = policy.Reserve{}
	core, logs := observer.New(zap.InfoLevel)
	log := zap.New(core)
	o.Policy = &policy.Gate{Policy: policy.Default(), Trainer: "builtin", Dir: o.Dir, Log: log}
	trained = &steady{}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- participant.Run(ctx, o, trained, log) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("%s: %v", name, err)
		}
	})
	return trained, logs
}

// steady trains for a second, and counts.
type steady struct {
	mu sync.Mutex
	n  int
}

func (s *steady) Train(ctx context.Context, t exchange.Task, global *model.File, done func(model.Vector) error) (trainer.Result, error) {
	s.mu.Lock()
	s.n++
	s.mu.Unlock()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return trainer.Result{}, ctx.Err()
	}
	return adding(1).Train(ctx, t, global, done)
}

func (s *steady) trainings() int {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// copyTo replaces a folder by a copy of another.
func (s *signing) copyTo(to, from string) {
	s.t.Helper()
	if err := errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(from))); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(to, journal.KeyFile), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func said(logs *observer.ObservedLogs, words string) int {
	return logs.Filter(func(e observer.LoggedEntry) bool { return strings.Contains(e.Message, words) }).Len()
}

const (
	journalLacks = "the journal lacks records that a site has seen"
	siteMisses   = "the coordinator's journal lacks records that this site has seen"
	siteRestored = "the coordinator was restored"
	siteForeign  = "this is not the journal that this site knew"
)

// tasksOf returns the ids of the tasks of a run that are open or answered now.
func tasksOf(t *testing.T, c *coordinator.Coordinator) []string {
	t.Helper()
	state, err := c.State("run")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for task := range state.Tasks() {
		ids = append(ids, task.ID)
	}
	return ids
}

const keptRounds = 12

// An older copy of the folder is put back. The first site that knows more stops
// all offers, also after a restart; accord coordinator restore lets it go on, the
// sites are told, and no answer of the life before counts.
func TestAnOlderCopyOffersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigning(t)
		n := s.rise()
		submit(t, n, keptRounds, 2)
		trained, logs := s.site("a")
		s.site("b")
		time.Sleep(3500 * time.Millisecond) // in the fourth round
		n.kill()
		backup := filepath.Join(t.TempDir(), "backup")
		s.copyTo(backup, s.dir)

		n = s.rise()
		time.Sleep(20 * time.Second)
		lost := tasksOf(t, n.Coordinator)
		n.kill()
		s.copyTo(s.dir, backup)

		offered := trained.trainings()
		for range 2 { // the second is a restart
			n = s.rise()
			reasons := watchReasons(t, n)
			time.Sleep(2 * time.Hour) // longer than the window
			if got := trained.trainings(); got != offered {
				t.Errorf("a site was asked %d times after an older copy was put back", got-offered)
			}
			if got := said(n.logs, journalLacks); got != 1 {
				t.Errorf("the coordinator said %d times that its journal lacks records", got)
			}
			if said(n.logs, "cohort selected") > 0 || n.Held() == "" {
				t.Error("the coordinator goes on")
			}
			if !slices.Equal(n.Attending(), []string{"a", "b"}) {
				t.Errorf("attending: %v", n.Attending())
			}
			saysWhy(t, n)
			n.kill()
			if last := <-reasons; !strings.Contains(last, "accord coordinator restore") {
				t.Errorf("who watches was told %q at last", last)
			}
		}
		if said(logs, siteMisses) == 0 || said(logs, siteRestored) > 0 {
			t.Errorf("the site said that records are missing %d times, and %d times that there was a restore", said(logs, siteMisses), said(logs, siteRestored))
		}

		if _, err := s.folder().Restore(t.Context(), journal.Restoring{}); err != nil {
			t.Fatal(err)
		}
		n = s.rise()
		late := exchange.Reply{Task: lost[0], Outcome: exchange.Declined, Reason: "test"}
		if r, err := n.Answer(t.Context(), "a", late); err != nil || r.Verdict != exchange.Late {
			t.Errorf("an answer to task %s of the life before: got %+v, error %v", lost[0], r, err)
		}
		last, _ := finish(t, n.Coordinator)
		if last.Phase != round.Completed || last.Counts.Accepted != 2*keptRounds || said(n.logs, journalLacks) > 0 {
			t.Errorf("after the restore: got %+v", last)
		}
		synctest.Wait()
		if said(logs, siteRestored) == 0 {
			t.Error("the site was not told of the restore")
		}
	})
}

// watchReasons follows the run's reason until the coordinator ends, and gives the
// last one then.
func watchReasons(t *testing.T, n *node) <-chan string {
	client, told := n.admin(), make(chan string, 1)
	go func() {
		last := ""
		_ = client.Watch(t.Context(), "run", 0, func(r coordinator.RunStatus) error { // which ends with the server
			last = r.Reason
			return nil
		})
		told <- last
	}()
	return told
}

// saysWhy checks that whoever asks is told why no run goes on.
func saysWhy(t *testing.T, n *node) {
	t.Helper()
	client := n.admin()
	why, err := client.Held(t.Context())
	if err != nil || why != n.Held() || why == "" {
		t.Errorf("held: got %q, error %v, want %q", why, err, n.Held())
	}
	one, err := client.Run(t.Context(), "run")
	if err != nil || one.Reason != why {
		t.Errorf("run: got %q, error %v", one.Reason, err)
	}
	all, _, err := client.Runs(t.Context(), 0, true)
	if err != nil || len(all) != 1 || all[0].Reason != why {
		t.Errorf("runs: got %+v, error %v", all, err)
	}
}

// A journal that was begun again is not the one that the sites knew. They say so,
// and go on.
func TestANewJournalIsSaidToBeAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigning(t)
		n := s.rise()
		submit(t, n, 3, 1)
		_, logs := s.site("a")
		finish(t, n.Coordinator)
		n.kill()
		if err := os.RemoveAll(s.dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(s.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		n = s.rise()
		submit(t, n, 3, 1)
		last, _ := finish(t, n.Coordinator)
		if last.Phase != round.Completed || n.Held() != "" {
			t.Errorf("got %+v, held: %q", last, n.Held())
		}
		synctest.Wait()
		if said(logs, siteForeign) != 1 || said(n.logs, "a site's checkpoint is not one of this journal") != 1 {
			t.Errorf("the site said so %d times, and the coordinator %d times", said(logs, siteForeign), said(n.logs, "a site's checkpoint is not one of this journal"))
		}
	})
}

// A receipt carries a checkpoint that covers its verdict.
func TestAReceiptsCheckpointCoversItsVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newSigning(t).rise()
		submit(t, n, 1, 1)
		p := n.open()
		p.say(hello("a", exchange.Protocol))
		welcome := receive(t, p).GetWelcome()
		first, err := checkpoint.Open(welcome.GetCheckpoint(), welcome.GetJournalKey())
		if err != nil {
			t.Fatal(err)
		}
		task := receive(t, p).GetOffer().GetTask()
		p.reply(task, exchange.Reply{Task: task, Outcome: exchange.Declined, Reason: "test"})
		receipt := receive(t, p).GetReceipt()
		covers, err := checkpoint.Open(receipt.GetCheckpoint(), welcome.GetJournalKey())
		if err != nil || covers.Head.Size <= first.Head.Size+1 || covers.Incarnation != first.Incarnation { // the selection, and the answer
			t.Errorf("got %v with %+v, error %v, want more than %d records", receipt, covers, err, first.Head.Size+1)
		}
	})
}

// receive returns the next message to a participant.
func receive(t *testing.T, p *peer) *accordv1.AttendResponse {
	t.Helper()
	m, err := p.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return m
}
