package trainer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
	"github.com/accord-fl/accord/participant"
	"github.com/accord-fl/accord/participant/trainer"
)

// behaviour tells the test's own binary to act as a site's program.
const behaviour = "ACCORD_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if how := os.Getenv(behaviour); how != "" {
		if err := act(how); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// act is the program: it adds 1 to every weight, and misbehaves as how says.
func act(how string) error {
	switch how {
	case "fail":
		fmt.Println("this is stdout")
		for i := range 40 {
			fmt.Fprintf(os.Stderr, "line %d\n", i)
		}
		return errors.New("RuntimeError: no such device")
	case "fail quietly":
		fmt.Println("only stdout")
		os.Exit(7)
	case "babble":
		for range 1 << 14 {
			fmt.Println(strings.Repeat("x", 63))
		}
		return errors.New("done babbling")
	case "hang":
		child := exec.Command(os.Args[0])
		child.Stdout = os.Stdout // holds the pipe open after our death
		child.Env = append(os.Environ(), behaviour+"=sleep", fmt.Sprint("ACCORD_TEST_PARENT=", os.Getpid()))
		if err := child.Start(); err != nil {
			return err
		}
		return errors.Join(os.WriteFile(os.Getenv("ACCORD_TEST_PID"), fmt.Append(nil, child.Process.Pid), 0o600), child.Wait())
	case "sleep":
		return outlive(os.Getenv("ACCORD_TEST_PARENT"))
	case "nothing":
		return nil
	case "link":
		return errors.Join(os.Symlink("/etc/hostname", trainer.UpdateFile), metrics(`{"samples": 1, "steps": 1}`))
	}
	return work(how)
}

func work(how string) error {
	data, err := os.ReadFile(trainer.TaskFile)
	if err != nil {
		return err
	}
	var t exchange.Task
	if err := json.Unmarshal(data, &t); err != nil {
		return err
	}
	p, err := model.LoadParams(trainer.GlobalFile, t.Contract)
	if err != nil {
		return err
	}
	for i := range p.Flat() {
		p.Flat()[i]++
	}
	switch how {
	case "nan":
		p.Flat()[2] = float32(math.NaN())
	case "shape":
		c := t.Contract
		c.Tensors = slices.Clone(c.Tensors)
		c.Tensors[0].Shape = []int{3, 2}
		p = model.NewParams(c)
	case "environment":
		env := os.Environ()
		slices.Sort(env)
		return errors.New(strings.Join(env, "\n"))
	}
	if m := os.Getenv("ACCORD_TEST_METRICS"); m != "" {
		err = metrics(m)
	} else {
		err = metrics(`{"samples": 600, "steps": 19, "loss": 0.5}`)
	}
	return errors.Join(err, model.SaveParams(trainer.UpdateFile, p))
}

func metrics(text string) error { return os.WriteFile(trainer.MetricsFile, []byte(text), 0o600) }

func testTask() exchange.Task {
	return exchange.Task{
		ID: "run/1/0/a", Run: "run", Round: 1, Exchange: exchange.Training, Participant: "a",
		Contract: model.Contract{Tensors: []model.TensorSpec{{Name: "w", DType: "F32", Shape: []int{2, 3}}}},
		Plan:     train.Plan{Epochs: 1, Optimizer: optim.Config{Name: "sgd", LR: 0.1}},
	}
}

// program returns a trainer whose program acts as how says, and the folder
// that its task folders come and go in.
func program(t *testing.T, how string, env ...string) (*trainer.Exec, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return &trainer.Exec{Command: []string{self}, Env: append(env, behaviour+"="+how), Dir: dir, Limit: time.Minute}, dir
}

// fileOf is p in the file that it would be.
func fileOf(t *testing.T, p *model.Params) *model.File {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	f, err := model.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()), p.Contract())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// trained starts from p and returns what the training made of it.
func trained(ctx context.Context, t *testing.T, by participant.Trainer, task exchange.Task, p *model.Params) ([]float32, trainer.Result, error) {
	t.Helper()
	var weights []float32
	result, err := by.Train(ctx, task, fileOf(t, p), func(v model.Vector) error {
		weights = make([]float32, task.Contract.Size())
		return v.ReadAt(weights, 0)
	})
	return weights, result, err
}

// zeros trains from weights that are all zero.
func zeros(ctx context.Context, t *testing.T, e *trainer.Exec) error {
	t.Helper()
	_, _, err := trained(ctx, t, e, testTask(), model.NewParams(testTask().Contract))
	return err
}

func TestExecTrains(t *testing.T) {
	e, dir := program(t, "work")
	task := testTask()
	weights, got, err := trained(t.Context(), t, e, task, model.NewParams(task.Contract))
	if err != nil {
		t.Fatal(err)
	}
	if got.Samples != 600 || got.Steps != 19 || len(got.Metrics) != 1 || got.Metrics["loss"] != 0.5 {
		t.Errorf("got %+v, want what the program wrote", got)
	}
	if want := slices.Repeat([]float32{1}, 6); !slices.Equal(weights, want) {
		t.Errorf("got weights %v, want %v", weights, want)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%d files stay behind", len(left))
	}
}

func TestExecSaysWhatWentWrong(t *testing.T) {
	with := func(metrics string) string { return "ACCORD_TEST_METRICS=" + metrics }
	tests := []struct {
		name string
		how  string
		env  string
		want []string
	}{
		{"exit code and last lines", "fail", "", []string{"exit status 3", "line 39 | RuntimeError: no such device"}},
		{"exit code and stdout", "fail quietly", "", []string{"exit status 7", "only stdout"}},
		{"endless output", "babble", "", []string{"exit status 3", "done babbling"}},
		{"no files", "nothing", "", []string{"wrote no metrics.json"}},
		{"a symbolic link", "link", "", []string{"update.safetensors is not a regular file"}},
		{"weights that are not finite", "nan", "", []string{`tensor "w": element 2 is NaN`}},
		{"weights of another shape", "shape", "", []string{"update.safetensors", "got shape [3 2], want [2 3]"}},
		{"metrics that are no JSON", "work", with("{"), []string{"metrics.json", "JSON"}},
		{"metrics that are no numbers", "work", with(`{"samples": 1, "steps": 1, "loss": null}`), []string{`"loss": want a number`}},
		{"samples missing", "work", with(`{"steps": 1}`), []string{`"samples" is missing`}},
		{"no samples", "work", with(`{"samples": 0, "steps": 1}`), []string{`"samples": want a whole number of at least 1`}},
		{"a fraction of a step", "work", with(`{"samples": 1, "steps": 0.5}`), []string{`"steps": want a whole number`}},
		{"NaN, as Python writes it", "work", with(`{"samples": 1, "steps": 1, "loss": NaN}`), []string{"metrics.json", "invalid character 'N'"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, dir := program(t, test.how, test.env)
			weights, _, err := trained(t.Context(), t, e, testTask(), model.NewParams(testTask().Contract))
			if err == nil {
				t.Fatal("got no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
			if len(err.Error()) > 1024 || strings.Contains(err.Error(), "line 3 ") {
				t.Errorf("the message has %d bytes: %.2000s", len(err.Error()), err)
			}
			if weights != nil {
				t.Errorf("a failed training gave weights: %v", weights)
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("%d files stay behind", len(left))
			}
		})
	}
}

func TestExecClearsTheEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	e, _ := program(t, "environment", "DATA=/private/data", "LANG=C")
	err := zeros(t.Context(), t, e)
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "LANG=C") {
		t.Errorf("got %v, want LANG=C and no secret", err)
	}
}

func TestExecFindsNoProgram(t *testing.T) {
	e := &trainer.Exec{Command: []string{"no-such-program-here"}, Limit: time.Minute}
	err := zeros(t.Context(), t, e)
	if err == nil || !strings.Contains(err.Error(), "start no-such-program-here") {
		t.Errorf("got %v, want an error that names the program", err)
	}
}

func TestNoMetricsAreReadFromALargeFile(t *testing.T) {
	e, _ := program(t, "work", "ACCORD_TEST_METRICS="+strings.Repeat(" ", 100<<10))
	err := zeros(t.Context(), t, e)
	if err == nil || !errors.Is(err, fault.Input) {
		t.Errorf("got %v, want an error of class fault.Input", err)
	}
}
