package exchange

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
)

var digest = strings.Repeat("0a", 32)

func task() Task {
	spec := model.Reference()
	return Task{
		ID: "r/1.0/train/athens", Run: "r", Round: 1, Exchange: Training, Participant: "athens", Seed: 7,
		Model: Artefact{Digest: digest, Bytes: 100}, Contract: spec.Contract(), Spec: spec,
		Plan:     train.Plan{Epochs: 1, Batch: 10, Optimizer: optim.Defaults(optim.SGD)},
		Strategy: "fedavg", Rounds: 3, Cohort: 2, Dataset: "x-rays",
	}
}

func reply() Reply {
	return Reply{Task: "r/1.0/train/athens", Outcome: Done, Update: &Update{
		Task: "r/1.0/train/athens", Base: digest, Samples: 10, Steps: 1,
		Artefacts: map[string]Artefact{Delta: {Digest: digest, Bytes: 100}}, Metrics: map[string]float64{"loss": 1},
	}}
}

// A task and a reply arrive as they were sent, and are valid.
func TestJSONRoundTrip(t *testing.T) {
	sentTask, sentReply := task(), reply()
	var gotTask Task
	var gotReply Reply
	for _, d := range []struct{ sent, got any }{{sentTask, &gotTask}, {sentReply, &gotReply}} {
		data, err := json.Marshal(d.sent)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, d.got); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(sentTask, gotTask); diff != "" {
		t.Errorf("task differs (-sent +got):\n%s", diff)
	}
	if diff := cmp.Diff(sentReply, gotReply); diff != "" {
		t.Errorf("reply differs (-sent +got):\n%s", diff)
	}
	if err := errors.Join(gotTask.Validate(), gotReply.Validate()); err != nil {
		t.Errorf("valid documents were refused: %v", err)
	}
}

func TestTaskValidate(t *testing.T) {
	for name, spoil := range map[string]func(*Task){
		"no id":            func(t *Task) { t.ID = "" },
		"endless id":       func(t *Task) { t.ID = strings.Repeat("x", 257) },
		"escapes in id":    func(t *Task) { t.ID = "run/1\x1b[2J" },
		"a space in id":    func(t *Task) { t.ID = "run/1 .0" },
		"letters in id":    func(t *Task) { t.ID = "run/é" },
		"huge model":       func(t *Task) { t.Model.Bytes = 1 << 50 },
		"a byte too large": func(t *Task) { t.Model.Bytes = t.Contract.MaxFile() + 1 },
		"endless rounds":   func(t *Task) { t.Round, t.Rounds = 1, MaxRounds+1 },
		"round far away":   func(t *Task) { t.Round, t.Rounds = MaxRounds+1, 0 },
		"endless cohort":   func(t *Task) { t.Cohort = maxCohort + 1 },
		"endless minimum":  func(t *Task) { t.Minimum = maxCohort + 1 },
		"endless epochs":   func(t *Task) { t.Plan.Epochs = train.MaxEpochs + 1 },
		"endless steps":    func(t *Task) { t.Plan.Steps = train.MaxSteps + 1 },
		"endless batch":    func(t *Task) { t.Plan.Batch = train.MaxBatch + 1 },
		"run is a path":    func(t *Task) { t.Run = "../r" },
		"name has a slash": func(t *Task) { t.Participant = "a/b" },
		"a round too many": func(t *Task) { t.Round = t.Rounds + 1 },
		"round 0":          func(t *Task) { t.Round = 0 },
		"other exchange":   func(t *Task) { t.Exchange = "keys" },
		"no digest":        func(t *Task) { t.Model.Digest = "model" },
		"empty model":      func(t *Task) { t.Model.Bytes = 0 },
		"other contract":   func(t *Task) { t.Contract.Tensors = t.Contract.Tensors[1:] },
		"negative batch":   func(t *Task) { t.Plan.Batch = -1 },
		"negative rounds":  func(t *Task) { t.Rounds = -1 },
		"negative cohort":  func(t *Task) { t.Cohort = -1 },
		"strategy":         func(t *Task) { t.Strategy = "fed avg" },
		"data set a path":  func(t *Task) { t.Dataset = "../x" },
		"id of two lines":  func(t *Task) { t.ID = "r/1\nr/2" },
		"tensor redraws":   func(t *Task) { t.Spec, t.Contract.Tensors[0].Name = nil, "\x1b[2J" },
		"tensor reversed":  func(t *Task) { t.Spec, t.Contract.Tensors[0].Name = nil, "a\u202eb" },
	} {
		task := task()
		spoil(&task)
		if err := task.Validate(); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got error %v, want bad input", name, err)
		}
	}
}

func TestReplyValidate(t *testing.T) {
	for name, spoil := range map[string]func(*Reply){
		"no task":             func(r *Reply) { r.Task = "" },
		"unknown outcome":     func(r *Reply) { r.Outcome = "maybe" },
		"endless reason":      func(r *Reply) { r.Reason = strings.Repeat("x", MaxReason+1) },
		"done without update": func(r *Reply) { r.Update = nil },
		"done later":          func(r *Reply) { r.Later = true },
		"failed for later":    func(r *Reply) { r.Outcome, r.Update, r.Later = Failed, nil, true },
		"failed with update":  func(r *Reply) { r.Outcome = Failed },
		"update of another":   func(r *Reply) { r.Update.Task = "other" },
		"base no digest":      func(r *Reply) { r.Update.Base = "x" },
		"no artefact":         func(r *Reply) { r.Update.Artefacts = nil },
		"other role":          func(r *Reply) { r.Update.Artefacts = map[string]Artefact{"weights": {digest, 1}} },
		"one artefact more":   func(r *Reply) { r.Update.Artefacts["control"] = Artefact{digest, 1} },
		"empty artefact":      func(r *Reply) { r.Update.Artefacts[Delta] = Artefact{digest, 0} },
		"negative samples":    func(r *Reply) { r.Update.Samples = -1 },
		"negative steps":      func(r *Reply) { r.Update.Steps = -1 },
		"metric NaN":          func(r *Reply) { r.Update.Metrics["loss"] = math.NaN() },
		"metric infinite":     func(r *Reply) { r.Update.Metrics["loss"] = math.Inf(1) },
		"metric redraws":      func(r *Reply) { r.Update.Metrics["a\x1b[2J"] = 1 },
		"metric unseen":       func(r *Reply) { r.Update.Metrics["loss\u200b"] = 1 },
		"task of two lines":   func(r *Reply) { r.Task, r.Update.Task = "a\nb", "a\nb" },
		"metric long name":    func(r *Reply) { r.Update.Metrics[strings.Repeat("x", 65)] = 1 },
	} {
		reply := reply()
		spoil(&reply)
		if err := reply.Validate(); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got error %v, want bad input", name, err)
		}
	}
}

func TestRandIsKeyed(t *testing.T) {
	want := task().Rand().Uint64()
	same := task()
	same.ID, same.Deadline = "r/1.3/train/athens", same.Deadline.AddDate(1, 0, 0)
	if got := same.Rand().Uint64(); got != want {
		t.Error("another attempt draws otherwise")
	}
	for name, change := range map[string]func(*Task){
		"seed":        func(t *Task) { t.Seed++ },
		"run":         func(t *Task) { t.Run = "s" },
		"round":       func(t *Task) { t.Round++ },
		"participant": func(t *Task) { t.Participant = "berlin" },
	} {
		other := task()
		change(&other)
		if other.Rand().Uint64() == want {
			t.Errorf("another %s draws alike", name)
		}
	}
}

// again writes a document and reads it again.
func again[T any](t *testing.T, d T) (read T) {
	t.Helper()
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return read
}

// FuzzReply: what is valid has an update exactly when it is done, and is the
// same and valid when sent on.
func FuzzReply(f *testing.F) {
	data, err := json.Marshal(reply())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"task": "t", "outcome": "declined", "reason": "not today"}`))
	f.Add([]byte(`{"task": "t", "outcome": "done", "update": {"metrics": {"loss": 1e400}, "samples": 1e18, "steps": -1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r Reply
		if json.Unmarshal(data, &r) != nil || r.Validate() != nil {
			return
		}
		if (r.Outcome == Done) != (r.Update != nil) {
			t.Errorf("outcome %s with update %v", r.Outcome, r.Update)
		}
		read := again(t, r)
		if err := read.Validate(); err != nil {
			t.Errorf("valid once, but not again: %v", err)
		}
		if diff := cmp.Diff(r, read, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("reply differs (-first +again):\n%s", diff)
		}
	})
}

// FuzzTask: what is valid can be trained for, and stays valid when sent on.
func FuzzTask(f *testing.F) {
	data, err := json.Marshal(task())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"id": "t", "run": "r", "round": 1, "exchange": "train", "contract": {"tensors": [{"name": "w", "dtype": "F32", "shape": [4294967296, 4294967296]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var task Task
		if json.Unmarshal(data, &task) != nil || task.Validate() != nil {
			return
		}
		if n := task.Contract.Size(); task.Round < 1 || n < 1 || n > model.MaxParameters {
			t.Errorf("took a task of round %d with %d parameters", task.Round, n)
		}
		if err := again(t, task).Validate(); err != nil {
			t.Errorf("valid once, but not again: %v", err)
		}
	})
}

// FuzzHello: who is let in has a name that can be a file's.
