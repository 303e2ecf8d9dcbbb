package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/coordinator/rpc"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/model"
)

// runs is a coordinator that knows of some runs.
type runs struct {
	states  []round.State // in order of submission; each has its index and 1 as number
	changes chan round.State
	err     error // of Submit, Stop and Remove

	members   []coordinator.Member
	submitted coordinator.Definition
	initial   []byte
	stopped   string
	removed   string
	held      string
}

func (r *runs) Held() string { return r.held }

func (r *runs) Submit(_ context.Context, d coordinator.Definition, initial io.ReaderAt, size int64) error {
	r.submitted = d
	if initial != nil {
		r.initial = make([]byte, size)
		if _, err := initial.ReadAt(r.initial, 0); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return r.err
}

func (r *runs) Stop(_ context.Context, name, reason string) error {
	r.stopped = name + ": " + reason
	return r.err
}

func (r *runs) Remove(_ context.Context, name, by string, files bool) (bool, error) {
	r.removed = fmt.Sprintf("%s by %q, files %t", name, by, files)
	return !files, r.err
}

func (r *runs) Attending() []string { return []string{"site-01", "site-02"} }
func (r *runs) Release(context.Context, string, string) (coordinator.Rival, error) {
	return coordinator.Rival{}, errors.New("unexpected")
}

func (r *runs) Members() []coordinator.Member { return r.members }

func (r *runs) List(before uint64, limit int, active bool) []coordinator.Entry {
	var page []coordinator.Entry
	for i, s := range slices.Backward(r.states) {
		n := uint64(i + 1)
		if (before == 0 || n < before) && len(page) < limit && (!active || !s.Phase.Final()) {
			page = append(page, coordinator.Entry{Number: n, State: s})
		}
	}
	return page
}

func (r *runs) State(name string) (round.State, error) {
	for _, s := range r.states {
		if s.Run == name {
			return s, nil
		}
	}
	return round.State{}, fmt.Errorf("%s: %w", name, coordinator.ErrNoRun)
}

func (r *runs) Since(ctx context.Context, name string, seq uint64) (round.State, uint64, error) {
	if _, err := r.State(name); err != nil {
		return round.State{}, 0, err
	}
	select {
	case s, ok := <-r.changes:
		if !ok {
			return round.State{}, 0, coordinator.ErrClosed
		}
		return s, seq + 1, nil
	case <-ctx.Done():
		return round.State{}, 0, ctx.Err()
	}
}

// admin returns a client of the server.
func (s *server) admin() *rpc.Client {
	s.t.Helper()
	c, err := rpc.Dial("127.0.0.1:7443", nil, grpc.WithContextDialer(s.dial))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// standing is a run with every field set.
func standing(t *testing.T, phase round.Phase) round.State {
	t.Helper()
	s, _, err := round.Step(round.State{}, round.Submitted{Run: "mnist", Model: strings.Repeat("b", 64), Config: round.Config{
		Rounds: 5, Fraction: 1, MinSites: 1, MaxSamples: 1, Exchanges: []round.Exchange{{Name: "train", Window: round.Window{Deadline: time.Minute}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []round.Event{
		round.CohortSelected{Round: 1, Cohort: []string{"site-01", "site-02"}, At: time.Unix(0, 0)},
		round.Answered{Task: "mnist/1.0/train/site-01", Participant: "site-01", Outcome: round.Valid, Digest: "0a", Samples: 1, At: time.Unix(1, 0)},
	} {
		if s, _, err = round.Step(s, e); err != nil {
			t.Fatal(err)
		}
	}
	accuracy, loss := 0.975, 0.08
	s.Phase, s.Round, s.Attempt, s.Reason = phase, 2, 1, "a reason"
	s.Counts = round.Counts{Accepted: 1, Rejected: 2, Declined: 3, Late: 4, Lost: 5}
	s.Published = round.HistoryOf(
		round.Version{Round: 1, Model: strings.Repeat("a", 64), Validation: &accuracy},
		round.Version{Round: 2, Model: strings.Repeat("c", 64), Accuracy: &accuracy, Loss: &loss, Validation: &loss})
	return s
}

// allPhases are those that a run may be in.
func allPhases() []round.Phase {
	return []round.Phase{
		round.Selecting, round.Exchanging, round.Aggregating, round.Evaluating, round.Publishing,
		round.Retrying, round.Completed, round.Failed, round.Stopped, round.Diverged,
	}
}

func TestRunsTravelWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runs{}
		var want []coordinator.RunStatus
		for _, phase := range allPhases() {
			r.states = append(r.states, standing(t, phase))
			want = append(want, coordinator.Summary(r.states[len(r.states)-1]))
		}
		c := serve(t, &fake{}, r, nil).admin()
		got, attending, err := c.Runs(t.Context(), 0, false)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("got (+), want (-):\n%s", diff)
		}
		if diff := cmp.Diff(r.Attending(), attending); diff != "" {
			t.Errorf("attending, got (+), want (-):\n%s", diff)
		}
		one, err := c.Run(t.Context(), "mnist")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(coordinator.Describe(r.states[0]), one); diff != "" {
			t.Errorf("got (+), want (-):\n%s", diff)
		}
		if one.Versions != 2 || len(one.Published) != 2 || one.Candidate.Round != 1 || len(one.Cohort) != 2 || one.Accepted != 1 {
			t.Errorf("got %+v, want two versions, the first of them to hand out", one)
		}
		if _, err := c.Run(t.Context(), "other"); !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), "no run of that name") {
			t.Errorf("got %v, want no such run, in class fault.Input", err)
		}
	})
}

func TestSubmit(t *testing.T) {
	c := model.Contract{Tensors: []model.TensorSpec{{Name: "w", DType: "F32", Shape: []int{1 << 19}}}} // two chunks
	var file bytes.Buffer
	if err := model.NewParams(c).Write(&file); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		initial io.Reader
		refuse  error // of Prepare
		err     error // of the coordinator
		class   error
	}{
		{"from the spec", nil, nil, nil, nil},
		{"from a model", bytes.NewReader(file.Bytes()), nil, nil, nil},
		{"a run that makes no sense", nil, fault.Inputf("rounds: want 1 or more"), nil, fault.Input},
		{"a name taken", nil, nil, fault.As(fault.Exists, errors.New("submitted before")), fault.Exists},
		{"a model that cannot be read", iotest.ErrReader(fault.Inputf("no such file")), nil, nil, fault.Input},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &runs{err: test.err}
				s := serve(t, &fake{}, r, func(o *rpc.Options) {
					o.Prepare = func(run []byte, initial io.ReaderAt, size int64) (rpc.Submission, error) {
						prepared := rpc.Submission{Definition: coordinator.Definition{Name: string(run)}, Note: "matched"}
						if initial == nil {
							return prepared, test.refuse
						}
						var err error
						prepared.Initial, err = model.OpenFile(initial, size, c)
						return prepared, err
					}
				})
				name, note, err := s.admin().Submit(t.Context(), []byte("mnist"), test.initial)
				if test.class != nil {
					if !errors.Is(err, test.class) {
						t.Errorf("got %v, want class %v", err, test.class)
					}
					return
				}
				if err != nil || name != "mnist" || note != "matched" || r.submitted.Name != "mnist" {
					t.Errorf("got %q, %q, %v and definition %+v", name, note, err, r.submitted)
				}
				if (test.initial != nil) != bytes.Equal(r.initial, file.Bytes()) {
					t.Errorf("the coordinator got a model of %d bytes", len(r.initial))
				}
			})
		})
	}
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runs{}
		c := serve(t, &fake{}, r, nil).admin()
		if err := c.Stop(t.Context(), "mnist", "enough"); err != nil || r.stopped != "mnist: enough" {
			t.Errorf("got %q (%v)", r.stopped, err)
		}
		r.err = fmt.Errorf("mnist: %w", coordinator.ErrNoRun)
		if err := c.Stop(t.Context(), "mnist", ""); !errors.Is(err, fault.Input) {
			t.Errorf("got %v, want class fault.Input", err)
		}
	})
}

func TestRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runs{}
		c := serve(t, &fake{}, r, nil).admin()
		for _, files := range []bool{false, true} {
			kept, err := c.Remove(t.Context(), "mnist", files)
			if err != nil || kept == files || r.removed != fmt.Sprintf("mnist by %q, files %t", "", files) {
				t.Errorf("files %t: got %q, kept %t (%v)", files, r.removed, kept, err)
			}
		}
		r.err = fmt.Errorf("mnist: %w", coordinator.ErrNoRun)
		if _, err := c.Remove(t.Context(), "mnist", false); !errors.Is(err, fault.Input) {
			t.Errorf("got %v, want class fault.Input", err)
		}
	})
}

func TestListen(t *testing.T) {
	l, err := rpc.ListenPlain("127.0.0.1:0", true)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := rpc.Listen(l.Addr().String()); !errors.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "another coordinator") {
		t.Errorf("a port in use: got %v, want class fault.Unavailable", err)
	}
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0"} {
		if _, err := rpc.ListenPlain(addr, true); !errors.Is(err, fault.Input) {
			t.Errorf("%s: got %v, want class fault.Input", addr, err)
		}
	}
	if _, err := rpc.ListenPlain("127.0.0.1:0", false); !errors.Is(err, fault.Input) {
		t.Errorf("without certificates: got %v, want class fault.Input", err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	if _, err := rpc.Dial("192.0.2.1:7443", nil); !errors.Is(err, fault.Input) {
		t.Errorf("got %v, want class fault.Input", err)
	}
	c, err := rpc.Dial("127.0.0.1:7443", nil, grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
		return nil, errors.New("connection refused")
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, _, err := c.Runs(t.Context(), 0, false); !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want class fault.Unavailable", err)
	}
}
