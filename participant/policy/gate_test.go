package policy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/accord-fl/accord/internal/fault"
)

func newGate(t *testing.T, p Policy) *Gate {
	t.Helper()
	return &Gate{Policy: p, Trainer: "builtin", Dir: t.TempDir(), Log: zap.NewNop()}
}

// lines of the file of decisions.
func lines(t *testing.T, g *Gate) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(g.Dir, DecisionsFile))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

func TestGateWaitsForApproval(t *testing.T) {
	p := Default()
	p.Manual = true
	g := newGate(t, p)
	records := Records{Dir: g.Dir}
	var refusal *Refusal
	if _, err := g.Admit(testTask()); !errors.As(err, &refusal) || !refusal.Later || refusal.Rule != RuleApprove {
		t.Fatalf("got error %v, want a refusal for now", err)
	}
	a, err := records.Approve("digits-1", "", " Dr. A. Meyer ", time.Now())
	if err != nil || a.By != "Dr. A. Meyer" {
		t.Fatalf("got approval %+v, error %v", a, err)
	}
	if again, err := records.Approve("digits-1", "", "somebody else", time.Now()); err != nil || again.By != a.By {
		t.Errorf("got approval %+v, error %v the second time, want the first", again, err)
	}
	terms, err := g.Admit(testTask())
	if err != nil || !terms.Samples || !terms.Metrics || !terms.Until.IsZero() {
		t.Errorf("got terms %+v, error %v after the approval", terms, err)
	}

	changed := testTask()
	changed.Plan.Epochs++
	if _, err := g.Admit(changed); !errors.As(err, &refusal) || !strings.Contains(err.Error(), "not what was approved") {
		t.Errorf("got error %v for another plan", err)
	}
	if _, err := records.Approve("digits-1", a.Facts.Shown()[:8], "x", time.Now()); !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), "offered again") {
		t.Errorf("got error %v when approving what was offered before", err)
	}
	if err := records.Revoke("digits-1"); err != nil {
		t.Error(err)
	}
	if _, err := g.Admit(testTask()); !errors.As(err, &refusal) {
		t.Errorf("got error %v after the approval was withdrawn", err)
	}

	got := lines(t, g)
	for i, want := range []string{`"verdict":"hold","rule":"approve"`, `"verdict":"allow","approved_by":"Dr. A. Meyer"`, `"verdict":"hold"`, `"verdict":"hold"`} {
		if i >= len(got) || !strings.Contains(got[i], want) {
			t.Errorf("decision %d: want %s in\n%s", i, want, strings.Join(got, "\n"))
		}
	}
}

// Files that are broken never allow anything.
func TestGateTrustsNoBrokenApproval(t *testing.T) {
	p := Default()
	p.Manual = true
	g := newGate(t, p)
	dir := Records{Dir: g.Dir}.approvals()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "{", "null", "{}", `{"by":"x","digest":""}`, `[]`} {
		if err := os.WriteFile(file(dir, "digits-1"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Admit(testTask()); err == nil {
			t.Errorf("approval %q allowed a task", text)
		}
	}
}

func TestGateFailsWithoutADisk(t *testing.T) {
	g := newGate(t, Default())
	if err := os.Mkdir(filepath.Join(g.Dir, DecisionsFile), 0o755); err != nil {
		t.Fatal(err)
	}
	var refusal *Refusal
	if _, err := g.Admit(testTask()); err == nil || errors.As(err, &refusal) {
		t.Errorf("got error %v, want that the decision cannot be noted", err)
	}
}

func TestGateKeepsHours(t *testing.T) {
	p := Default()
	p.Hours = nights(t)
	synctest.Test(t, func(t *testing.T) { // begins at midnight, in an open hour
		g := newGate(t, p)
		terms, err := g.Admit(testTask())
		if want := time.Now().Add(6 * time.Hour); err != nil || !terms.Until.Equal(want) {
			t.Errorf("got terms %+v, error %v, want an end at %v", terms, err, want)
		}
		time.Sleep(6 * time.Hour)
		var refusal *Refusal
		if _, err := g.Admit(testTask()); !errors.As(err, &refusal) || !refusal.Later || refusal.Rule != RuleHours {
			t.Errorf("got error %v at closing time", err)
		}
		time.Sleep(13 * time.Hour)
		if _, err := g.Admit(testTask()); err != nil {
			t.Errorf("got error %v at opening time", err)
		}
	})
}

func TestOffersAreBounded(t *testing.T) {
	g := newGate(t, Default())
	for i := range maxOffers + 10 {
		task := testTask()
		task.Run = fmt.Sprintf("run-%d", i)
		if _, err := g.Admit(task); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := Records{Dir: g.Dir}.Runs()
	if err != nil || len(runs) != maxOffers {
		t.Errorf("%d offers, error %v, want %d", len(runs), err, maxOffers)
	}
}

func TestDecisionsAreBounded(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, DecisionsFile)
	// What a crash left of a line gets an end.
	if err := os.WriteFile(path, []byte(`{"at":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (Records{Dir: dir}).note(Noted{Run: "a"}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || strings.Count(string(data), "\n") != 2 || !strings.HasPrefix(string(data), "{\"at\":\n{") {
		t.Errorf("got %q, error %v, want two lines", data, err)
	}
	if err := os.Truncate(path, maxDecisions); err != nil {
		t.Fatal(err)
	}
	if err := (Records{Dir: dir}).note(Noted{Run: "b"}); err != nil {
		t.Fatal(err)
	}
	old, err := os.Stat(filepath.Join(dir, DecisionsOldFile))
	if err != nil || old.Size() != maxDecisions {
		t.Errorf("the older file: %v, error %v", old, err)
	}
	if data, err := os.ReadFile(path); err != nil || strings.Count(string(data), "\n") != 1 {
		t.Errorf("got %q, error %v, want one line", data, err)
	}
}

// What a person has looked at is what is approved: a coordinator that asks for a
// higher learning rate between the two gets nothing approved.
func TestAnApprovalIsOfWhatWasShown(t *testing.T) {
	p := Default()
	p.Manual = true
	g := newGate(t, p)
	records := Records{Dir: g.Dir}
	var refusal *Refusal
	if _, err := g.Admit(testTask()); !errors.As(err, &refusal) {
		t.Fatalf("got error %v, want a refusal for now", err)
	}
	seen, err := records.Offer("digits-1")
	if err != nil {
		t.Fatal(err)
	}
	higher := testTask()
	higher.Plan.Optimizer.LR *= 1000
	if _, err := g.Admit(higher); !errors.As(err, &refusal) {
		t.Fatalf("got error %v, want a refusal for now", err)
	}
	if a, err := records.Approve("digits-1", seen.Facts.Shown()[:12], "Dr. A. Meyer", time.Now()); !errors.Is(err, fault.Input) {
		t.Errorf("got approval %+v, error %v, want the learning rate looked at first", a, err)
	}
	// A lower one asks for less than what is shown, and changes nothing.
	if _, err := g.Admit(testTask()); !errors.As(err, &refusal) {
		t.Fatalf("got error %v, want a refusal for now", err)
	}
	shown, err := records.Offer("digits-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := records.Approve("digits-1", shown.Facts.Shown()[:12], "Dr. A. Meyer", time.Now()); err != nil {
		t.Error(err)
	}
}

// An approval that cannot be read is none: the run waits for a person, and no attempt
// fails for it.
func TestADamagedApprovalIsNone(t *testing.T) {
	p := Default()
	p.Manual = true
	g := newGate(t, p)
	records := Records{Dir: g.Dir}
	var refusal *Refusal
	if _, err := g.Admit(testTask()); !errors.As(err, &refusal) {
		t.Fatalf("got error %v, want a refusal for now", err)
	}
	if _, err := records.Approve("digits-1", "", "Dr. A. Meyer", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file(records.approvals(), "digits-1"), []byte(`{"by":"Dr. A`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Admit(testTask()); !errors.As(err, &refusal) || !refusal.Later {
		t.Errorf("got error %v, want a refusal for now", err)
	}
	if d, err := g.Judge(testTask()); err != nil || d.Verdict != Hold {
		t.Errorf("the foresight: got %+v, %v", d, err)
	}
	if _, err := records.Approve("digits-1", "", "Dr. A. Meyer", time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Admit(testTask()); err != nil {
		t.Errorf("approved again: %v", err)
	}
}
