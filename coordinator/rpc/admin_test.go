package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

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
	statuses []coordinator.RunStatus
	watch    func() <-chan coordinator.RunStatus
	err      error // of Submit and Stop

	members   []coordinator.Member
	submitted coordinator.Definition
	initial   []byte
	stopped   string
}

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

func (r *runs) Runs() []coordinator.RunStatus { return r.statuses }
func (r *runs) Attending() []string           { return []string{"site-01", "site-02"} }
func (r *runs) Release(context.Context, string, string) (coordinator.Rival, error) {
	return coordinator.Rival{}, errors.New("unexpected")
}

func (r *runs) Members() []coordinator.Member { return r.members }

func (r *runs) Status(name string) (coordinator.RunStatus, error) {
	for _, s := range r.statuses {
		if s.Name == name {
			return s, nil
		}
	}
	return coordinator.RunStatus{}, fmt.Errorf("%s: %w", name, coordinator.ErrNoRun)
}

func (r *runs) Watch(_ context.Context, name string) (<-chan coordinator.RunStatus, error) {
	if _, err := r.Status(name); err != nil {
		return nil, err
	}
	return r.watch(), nil
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
func standing(phase round.Phase) coordinator.RunStatus {
	accuracy, loss := 0.975, 0.08
	return coordinator.RunStatus{
		Name: "mnist", Phase: phase, Round: 2, Rounds: 5, Attempt: 1, Cohort: []string{"site-01", "site-02"}, Accepted: 1,
		Model:     strings.Repeat("a", 64),
		Published: []round.Version{{Round: 1, Model: strings.Repeat("a", 64), Accuracy: &accuracy, Loss: &loss}, {Round: 2, Validation: &loss}},
		Counts:    round.Counts{Accepted: 1, Rejected: 2, Declined: 3, Late: 4, Lost: 5},
		Reason:    "a reason",
	}
}

func TestRunsTravelWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runs{}
		for _, phase := range []round.Phase{
			round.Selecting, round.Exchanging, round.Aggregating, round.Evaluating, round.Publishing,
			round.Retrying, round.Completed, round.Failed, round.Stopped,
		} {
			r.statuses = append(r.statuses, standing(phase))
		}
		c := serve(t, &fake{}, r, nil).admin()
		got, attending, err := c.Runs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.statuses, got); diff != "" {
			t.Errorf("got (+), want (-):\n%s", diff)
		}
		if diff := cmp.Diff(r.Attending(), attending); diff != "" {
			t.Errorf("attending, got (+), want (-):\n%s", diff)
		}
		one, err := c.Run(t.Context(), "mnist")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.statuses[0], one); diff != "" {
			t.Errorf("got (+), want (-):\n%s", diff)
		}
		if _, err := c.Run(t.Context(), "other"); !errors.Is(err, fault.Input) || !strings.Contains(err.Error(), "no run of that name") {
			t.Errorf("got %v, want no such run, in class fault.Input", err)
		}
	})
}

func TestWatch(t *testing.T) {
	three := func() <-chan coordinator.RunStatus {
		c := make(chan coordinator.RunStatus, 3)
		for n := range 3 {
			s := standing(round.Exchanging)
			s.Round = n
			c <- s
		}
		close(c)
		return c
	}
	enough := errors.New("enough")
	tests := []struct {
		name  string
		phase round.Phase // in which the run is when the watch ends
		each  func(seen int) error
		seen  int
		check func(error) bool
	}{
		{"to its end", round.Completed, nil, 3, func(err error) bool { return err == nil }},
		{"until the coordinator ends", round.Exchanging, nil, 3, func(err error) bool { return errors.Is(err, fault.Unavailable) }},
		{"until the watcher has enough", round.Completed, func(seen int) error {
			if seen == 2 {
				return enough
			}
			return nil
		}, 2, func(err error) bool { return errors.Is(err, enough) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &runs{watch: three, statuses: []coordinator.RunStatus{standing(test.phase)}}
				seen := 0
				err := serve(t, &fake{}, r, nil).admin().Watch(t.Context(), "mnist", func(s coordinator.RunStatus) error {
					if s.Round != seen {
						t.Errorf("got round %d, want %d", s.Round, seen)
					}
					seen++
					if test.each != nil {
						return test.each(seen)
					}
					return nil
				})
				if !test.check(err) || seen != test.seen {
					t.Errorf("got %v after %d states", err, seen)
				}
			})
		})
	}
}

func TestWatchEndsWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runs{
			watch:    func() <-chan coordinator.RunStatus { return make(chan coordinator.RunStatus) },
			statuses: []coordinator.RunStatus{standing(round.Exchanging)},
		}
		s := serve(t, &fake{}, r, nil)
		watched := make(chan error, 1)
		go func() { watched <- s.admin().Watch(t.Context(), "mnist", nil) }()
		synctest.Wait()
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		if err := <-watched; !errors.Is(err, fault.Unavailable) {
			t.Errorf("got %v, want class fault.Unavailable", err)
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
		{"a model that can not be read", iotest.ErrReader(fault.Inputf("no such file")), nil, nil, fault.Input},
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
	if _, _, err := c.Runs(t.Context()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want class fault.Unavailable", err)
	}
}
