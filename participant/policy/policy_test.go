package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/hours"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
)

func testTask() exchange.Task {
	return exchange.Task{
		ID: "digits-1/1.0/train/athens", Run: "digits-1", Round: 1, Exchange: exchange.Training, Participant: "athens",
		Model:    exchange.Artefact{Digest: strings.Repeat("0a", 32), Bytes: 100},
		Contract: model.Contract{Tensors: []model.TensorSpec{{Name: "w", DType: "F32", Shape: []int{2, 3}}}},
		Plan:     train.Plan{Epochs: 5, Batch: 10, Optimizer: optim.Defaults(optim.SGD)},
		Strategy: "fedavg", Rounds: 10, Cohort: 3, SendSamples: true,
	}
}

// at is a Wednesday.
func at(clock string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", "2026-06-03 "+clock)
	if err != nil {
		panic(err)
	}
	return t
}

func nights(t *testing.T) hours.Hours {
	t.Helper()
	h, err := hours.Parse([]string{"Mon-Sun 19:00-06:00"}, "UTC")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestJudge(t *testing.T) {
	facts := FactsOf(testTask(), "builtin")
	approved := &Approval{By: "x", Digest: facts.Digest(), Facts: facts}
	slower := facts
	slower.Plan.Optimizer.LR /= 2
	for _, c := range []struct {
		name    string
		policy  func(*Policy)
		facts   func(*Facts)
		cohort  int
		a       *Approval
		at      string
		verdict Verdict
		rule    string
		reason  string
	}{
		{"default", nil, nil, 3, nil, "12:00", Allow, "", ""},
		{"a run by its name", func(p *Policy) { p.Runs = []string{"x", "digits-*"} }, nil, 3, nil, "12:00", Allow, "", ""},
		{"another run", func(p *Policy) { p.Runs = []string{"x-*"} }, nil, 3, nil, "12:00", Decline, RuleRuns, "digits-1"},
		{"a data set that is offered", func(p *Policy) { p.Datasets = []string{"x-rays"} }, func(f *Facts) { f.Dataset = "x-rays" }, 3, nil, "12:00", Allow, "", ""},
		{"another data set", func(p *Policy) { p.Datasets = []string{"x-rays", "scans"} }, func(f *Facts) { f.Dataset = "names" }, 3, nil, "12:00", Decline, RuleDatasets, "names; it offers scans, x-rays"},
		{"as many epochs as allowed", func(p *Policy) { p.MaxEpochs = 5 }, nil, 3, nil, "12:00", Allow, "", ""},
		{"one epoch more", func(p *Policy) { p.MaxEpochs = 4 }, nil, 3, nil, "12:00", Decline, RuleMaxEpochs, "5 epochs"},
		{"a model too large", func(p *Policy) { p.MaxParameters = 5 }, nil, 3, nil, "12:00", Decline, RuleMaxParameters, "6 parameters"},
		{"a cohort large enough", func(p *Policy) { p.MinCohort = 3 }, nil, 3, nil, "12:00", Allow, "", ""},
		{"a cohort too small", func(p *Policy) { p.MinCohort = 4 }, nil, 3, nil, "12:00", Decline, RuleMinCohort, "3 updates may be enough for a model, the site takes part where 4 or more must be"},
		{"a cohort that nobody tells", func(p *Policy) { p.MinCohort = 1 }, nil, 0, nil, "12:00", Decline, RuleMinCohort, "does not tell"},
		{"samples stay", func(p *Policy) { p.ShareSamples = false }, nil, 3, nil, "12:00", Decline, RuleShareSamples, "uniform"},
		{"samples stay and nobody asks", func(p *Policy) { p.ShareSamples = false }, func(f *Facts) { f.SendSamples = false }, 3, nil, "12:00", Allow, "", ""},
		{"not approved", func(p *Policy) { p.Manual = true }, nil, 3, nil, "12:00", Hold, RuleApprove, "waits for approval"},
		{"approved", func(p *Policy) { p.Manual = true }, nil, 3, approved, "12:00", Allow, "", ""},
		{"approved with a higher rate", func(p *Policy) { p.Manual = true }, func(f *Facts) { *f = slower }, 3, approved, "12:00", Allow, "", ""},
		{"the rate rises", func(p *Policy) { p.Manual = true }, func(f *Facts) { f.Plan.Optimizer.LR *= 2 }, 3, approved, "12:00", Hold, RuleApprove, "learning rate 0.02 is above the 0.01"},
		{"more epochs than approved", func(p *Policy) { p.Manual = true }, func(f *Facts) { f.Plan.Epochs++ }, 3, approved, "12:00", Hold, RuleApprove, "not what was approved"},
		{"approval that nobody needs", nil, nil, 3, approved, "12:00", Allow, "", ""},
		{"outside hours", func(p *Policy) { p.Hours = nights(t) }, nil, 3, nil, "12:00", Hold, RuleHours, "open again at Wed 3 Jun 19:00 UTC"},
		{"within hours", func(p *Policy) { p.Hours = nights(t) }, nil, 3, nil, "19:00", Allow, "", ""},
		{"for good before for now", func(p *Policy) { p.Hours, p.Manual, p.MaxEpochs = nights(t), true, 1 }, nil, 3, nil, "12:00", Decline, RuleMaxEpochs, ""},
		{"approval before hours", func(p *Policy) { p.Hours, p.Manual = nights(t), true }, nil, 3, nil, "12:00", Hold, RuleApprove, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, f := Default(), facts
			if c.policy != nil {
				c.policy(&p)
			}
			if c.facts != nil {
				c.facts(&f)
			}
			d := p.Judge(f, c.cohort, c.a, at(c.at))
			if d.Verdict != c.verdict || d.Rule != c.rule || !strings.Contains(d.Reason, c.reason) {
				t.Errorf("got %+v, want %s by rule %q with %q", d, c.verdict, c.rule, c.reason)
			}
		})
	}
}

func TestJudgeTellsClosingTime(t *testing.T) {
	p := Default()
	facts := FactsOf(testTask(), "builtin")
	if d := p.Judge(facts, 3, nil, at("20:00")); !d.Until.IsZero() {
		t.Errorf("got a limit %v without hours", d.Until)
	}
	p.Hours = nights(t)
	want := at("06:00").AddDate(0, 0, 1)
	if d := p.Judge(facts, 3, nil, at("20:00")); !d.Until.Equal(want) {
		t.Errorf("got a limit %v, want %v", d.Until, want)
	}
}

// An approval is bound to everything about a run but its rounds' learning
// rate, and to who trains.
func TestFactsDigest(t *testing.T) {
	want := FactsOf(testTask(), "builtin").Digest()
	for name, c := range map[string]struct {
		change func(*exchange.Task)
		same   bool
	}{
		"round":         {func(t *exchange.Task) { t.ID, t.Round, t.Model.Bytes = "x", 7, 99 }, true},
		"learning rate": {func(t *exchange.Task) { t.Plan.Optimizer.LR /= 2 }, true},
		"cohort":        {func(t *exchange.Task) { t.Cohort++ }, true},
		"name":          {func(t *exchange.Task) { t.Run += "x" }, false},
		"strategy":      {func(t *exchange.Task) { t.Strategy = "other" }, false},
		"rounds":        {func(t *exchange.Task) { t.Rounds++ }, false},
		"data set":      {func(t *exchange.Task) { t.Dataset = "x" }, false},
		"contract":      {func(t *exchange.Task) { t.Contract.Spec = "x" }, false},
		"batch":         {func(t *exchange.Task) { t.Plan.Batch = 1 }, false},
		"momentum":      {func(t *exchange.Task) { t.Plan.Optimizer.Momentum = 0.9 }, false},
		"samples":       {func(t *exchange.Task) { t.SendSamples = false }, false},
	} {
		task := testTask()
		c.change(&task)
		if got := FactsOf(task, "builtin").Digest() == want; got != c.same {
			t.Errorf("another %s: got the same digest %t, want %t", name, got, c.same)
		}
	}
	if FactsOf(testTask(), "exec: python3 train.py").Digest() == want {
		t.Error("another trainer gives the same digest")
	}
}
