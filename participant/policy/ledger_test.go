package policy

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/model/optim"
)

// refused returns the refusal that an error is, or fails.
func refused(t *testing.T, err error) Refusal {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatalf("got error %v, want a refusal", err)
	}
	return *r
}

// Whatever shapes an update belongs to the question of a round; what does not, such
// as another attempt, does not.
func TestOneQuestionARound(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*exchange.Task)
		same   bool
	}{
		"attempt":       {func(t *exchange.Task) { t.ID, t.Deadline = "digits-1/1.1/train/athens", time.Now() }, true},
		"cohort":        {func(t *exchange.Task) { t.Cohort, t.Minimum = 7, 4 }, true},
		"round":         {func(t *exchange.Task) { t.Round++ }, true}, // its own question
		"learning rate": {func(t *exchange.Task) { t.Plan.Optimizer.LR /= 2 }, false},
		"epochs":        {func(t *exchange.Task) { t.Plan.Epochs-- }, false},
		"optimiser":     {func(t *exchange.Task) { t.Plan.Optimizer = optim.Defaults(optim.Adam) }, false},
		"model":         {func(t *exchange.Task) { t.Model.Digest = strings.Repeat("b", 64) }, false},
		"contract":      {func(t *exchange.Task) { t.Contract.Tensors[0].Shape = []int{3, 2} }, false},
		"seed":          {func(t *exchange.Task) { t.Seed++ }, false},
		"samples":       {func(t *exchange.Task) { t.SendSamples = false }, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, Default())
			if _, err := g.Admit(testTask()); err != nil {
				t.Fatal(err)
			}
			again := testTask()
			c.change(&again)
			d, errJudge := g.Judge(again)
			_, err := g.Admit(again)
			if c.same != (err == nil) || errJudge != nil || c.same != (d.Verdict == Allow) {
				t.Fatalf("got error %v, and the foresight %+v, %v, want it allowed: %t", err, d, errJudge, c.same)
			}
			if !c.same {
				if r := refused(t, err); r.Later || r.Rule != RuleMaxRepeats {
					t.Errorf("got %+v, want it declined for good", r)
				}
			}
			if _, err := g.Admit(testTask()); err != nil {
				t.Errorf("the first question again: %v", err)
			}
		})
	}
}

// After each restore of the coordinator a round may be asked once more, up to the
// policy's bound, also after the participant has started again.
func TestRoundsAreAskedAgainAfterARestore(t *testing.T) {
	p := Default()
	p.MaxRepeats = 2
	g := newGate(t, p)
	asks := 0
	another := func() error { // asks round 1 with another model
		asks++
		task := testTask()
		task.Model.Digest = fmt.Sprintf("%064x", asks)
		_, err := g.Admit(task)
		return err
	}
	for i, c := range []struct {
		incarnation string
		allowed     bool
	}{
		{"", true}, {"", false}, // a coordinator that has none
		{"one", false},                                // the first that is told
		{"two", true}, {"two", false}, {"two", false}, // restored
		{"three", true}, {"three", false},
		{"four", false}, // beyond the bound
	} {
		if i%2 == 1 { // started again
			g = &Gate{Policy: g.Policy, Trainer: g.Trainer, Dir: g.Dir, Log: g.Log}
		}
		if err := g.Forked(c.incarnation); err != nil {
			t.Fatal(err)
		}
		if err := another(); c.allowed != (err == nil) {
			t.Errorf("step %d, incarnation %q: got error %v, want it allowed: %t", i, c.incarnation, err, c.allowed)
		}
	}
	if err := (Records{Dir: g.Dir}).Again("digits-1"); err != nil {
		t.Fatal(err)
	}
	if err := another(); err != nil {
		t.Errorf("after a person let it be asked again: %v", err)
	}
	if err := (Records{Dir: g.Dir}).Again("unknown"); err == nil {
		t.Error("let a run be asked again that never was")
	}
}

// An approval is one for so many rounds; a coordinator that does not say how many
// has none.
func TestAnApprovalNeedsTheNumberOfRounds(t *testing.T) {
	p := Default()
	p.Manual = true
	g := newGate(t, p)
	task := testTask()
	task.Rounds = 0
	_, err := g.Admit(task)
	if r := refused(t, err); r.Later || r.Rule != RuleApprove {
		t.Errorf("got %+v, want it declined for good", r)
	}
}

func TestLedgersAreBounded(t *testing.T) {
	g := newGate(t, Default())
	r := Records{Dir: g.Dir}
	task := testTask()
	task.Rounds = 10 * keepRounds
	var l ledger
	for round := 1; round < 2*keepRounds; round++ {
		l.entries = append(l.entries, asked{round: round, digest: strings.Repeat("0", 32)})
	}
	if err := errors.Join(os.MkdirAll(r.answered(), 0o755), os.WriteFile(r.ledgerFile(task.Run), l.bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	for task.Round = 2 * keepRounds; task.Round <= 2*keepRounds+2; task.Round++ {
		if _, err := g.Admit(task); err != nil {
			t.Fatalf("round %d: %v", task.Round, err)
		}
	}
	n, last, err := r.Rounds(task.Run)
	if err != nil || n != keepRounds+1 || last != 2*keepRounds+2 {
		t.Errorf("%d rounds are kept, the last is %d, error %v", n, last, err)
	}
	task.Round = 5
	_, err = g.Admit(task)
	if r := refused(t, err); !strings.Contains(r.Reason, "too far back") {
		t.Errorf("got %+v for a round that is not kept", r)
	}
}

// A line that a crash or a power cut has left counts for nothing, and spoils none
// after it.
func TestLedgerAfterACrash(t *testing.T) {
	for name, left := range map[string]string{
		"half a line": "2 0 0123", "zeros": "\x00\x00\x00\x00\x00\x00", "zeros and an end": "\x00\x00\n", "no digest": "2 0 x\n",
		"no end": "2 0 " + strings.Repeat("0", 32),
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, Default())
			if _, err := g.Admit(testTask()); err != nil {
				t.Fatal(err)
			}
			file := Records{Dir: g.Dir}.ledgerFile("digits-1")
			f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.WriteString(left)
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			second, other := testTask(), testTask()
			second.Round = 2
			other.Round, other.Seed = 2, 99
			if _, err := g.Admit(second); err != nil {
				t.Errorf("the second round: %v", err)
			}
			if _, err := g.Admit(other); err == nil {
				t.Error("the second round was allowed for two questions")
			}
			if _, err := g.Admit(testTask()); err != nil {
				t.Errorf("the first round again: %v", err)
			}
		})
	}
}

// Offers go when there are many or they are large; what an approval was used for
// stays.
func TestLedgersGoWithTheOffers(t *testing.T) {
	g := newGate(t, Default())
	r := Records{Dir: g.Dir}
	for _, run := range []string{"approved", "forgotten"} {
		task := testTask()
		task.Run = run
		if _, err := g.Admit(task); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Approve("approved", "", "Dr. A. Meyer", time.Now()); err != nil {
		t.Fatal(err)
	}
	large := testTask()
	large.Strategy = strings.Repeat("x", maxOfferBytes/16)
	for i := range 20 {
		large.Run = fmt.Sprintf("large-%d", i)
		if err := g.keep(r, FactsOf(large, "builtin"), large, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := r.Runs()
	if err != nil || len(runs) > 16 || len(runs) < 4 {
		t.Errorf("%d offers stay, error %v", len(runs), err)
	}
	for run, want := range map[string]int{"approved": 1, "forgotten": 0} {
		if n, _, err := r.Rounds(run); err != nil || n != want {
			t.Errorf("run %s: %d rounds are kept, error %v, want %d", run, n, err, want)
		}
	}
}

func TestReserve(t *testing.T) {
	for _, c := range []struct {
		r          Reserve
		size, want uint64
	}{
		{Reserve{}, 1e12, 0},
		{Reserve{Bytes: 5e9}, 1e12, 5e9},
		{Reserve{Percent: 5}, 1e12, 5e10},
		{DefaultReserve(), 1e12, 1e9},
		{DefaultReserve(), 64 << 20, 671088},
	} {
		if got := c.r.Of(c.size); got != c.want {
			t.Errorf("%+v of %d: got %d, want %d", c.r, c.size, got, c.want)
		}
	}
}

// A version that the coordinator has lost and made again may lead to another model in
// the next round, which may be asked once more then, within the same bound; also after
// a restore that has lost this, too.
func TestRoundsAreAskedAgainAfterALostVersion(t *testing.T) {
	p := Default()
	p.MaxRepeats = 3
	g := newGate(t, p)
	asks := 0
	for i, c := range []struct {
		incarnation string
		redone      int
		allowed     bool
	}{
		{"one", 0, true}, {"one", 0, false},
		{"one", 1, true}, {"one", 1, false}, {"one", 0, false},
		{"two", 0, true}, {"two", 0, false}, // restored to before the loss
		{"two", 1, true}, {"two", 2, false}, // beyond the bound
	} {
		if err := g.Forked(c.incarnation); err != nil {
			t.Fatal(err)
		}
		asks++
		task := testTask()
		task.Model.Digest, task.Redone = fmt.Sprintf("%064x", asks), c.redone
		if _, err := g.Admit(task); c.allowed != (err == nil) {
			t.Errorf("step %d: got error %v, want it allowed: %t", i, err, c.allowed)
		}
		if _, err := g.Admit(task); c.allowed != (err == nil) {
			t.Errorf("step %d, the same again: got error %v, want it allowed: %t", i, err, c.allowed)
		}
	}
}
