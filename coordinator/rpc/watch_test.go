package rpc_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"

	"google.golang.org/protobuf/proto"
)

// watched returns a coordinator whose run goes through the states; then, unless the
// last is final, the coordinator ends.
func watched(states ...round.State) *runs {
	r := &runs{states: states[:1], changes: make(chan round.State, len(states))}
	for _, s := range states {
		r.changes <- s
	}
	close(r.changes)
	return r
}

func TestWatch(t *testing.T) {
	enough := errors.New("enough")
	tests := []struct {
		name  string
		phase round.Phase // of the last state
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
				var states []round.State
				for n := range 3 {
					s := standing(t, round.Exchanging)
					s.Round = n
					states = append(states, s)
				}
				states[2].Phase = test.phase
				seen := 0
				err := serve(t, &fake{}, watched(states...), nil).admin().Watch(t.Context(), "mnist", 0, func(s coordinator.RunStatus) error {
					if s.Round != seen || len(s.Cohort) != 2 {
						t.Errorf("got round %d with cohort %v, want %d with two sites", s.Round, s.Cohort, seen)
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

// A watcher gets each version once, from the one after those that it knows, however
// many follow one another between two looks, and each message is small.
func TestAWatchSendsWhatIsNew(t *testing.T) {
	all := history(6_000)
	at := func(versions int, phase round.Phase) round.State {
		s := standing(t, phase)
		s.Published = round.HistoryOf(all.Since(0, versions)...)
		return s
	}
	states := []round.State{at(5_000, round.Exchanging), at(5_000, round.Aggregating), at(5_001, round.Exchanging), at(6_000, round.Completed)}
	for _, since := range []int{0, 1, 4_999, 5_000, 5_001, 6_000, 7_000} {
		synctest.Test(t, func(t *testing.T) {
			s := serve(t, &fake{}, watched(states...), nil)
			known := since
			err := s.admin().Watch(t.Context(), "mnist", since, func(s coordinator.RunStatus) error {
				first := s.Versions - len(s.Published) // of those that it has
				known = min(known, s.Versions)
				if len(s.Published) == 0 || first > known || first < known && len(s.Published) > 1 {
					t.Errorf("since %d: got the last %d of %d versions, known were %d", since, len(s.Published), s.Versions, known)
				}
				for i, v := range s.Published {
					if v.Round != first+i+1 {
						t.Fatalf("since %d: version %d is of round %d", since, first+i+1, v.Round)
					}
				}
				known = s.Versions
				return nil
			})
			if err != nil || known != 6_000 {
				t.Errorf("since %d: got versions up to %d (%v), want 6000", since, known, err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		admin := accordv1.NewAdminServiceClient(dialServer(t, serve(t, &fake{}, watched(states...), nil)))
		stream, err := admin.WatchRun(t.Context(), &accordv1.WatchRunRequest{Name: "mnist", Since: proto.Int32(4_990)})
		if err != nil {
			t.Fatal(err)
		}
		var sent []int
		for {
			m, err := stream.Recv()
			if err != nil {
				break
			}
			sent = append(sent, len(m.GetRun().GetPublished()))
			if unchanged := len(sent) > 1; m.GetCohortUnchanged() != unchanged || len(m.GetRun().GetCohort()) > 0 == unchanged {
				t.Errorf("message %d has a cohort of %d, unchanged %t", len(sent), len(m.GetRun().GetCohort()), m.GetCohortUnchanged())
			}
		}
		if want := []int{10, 1, 1, 999}; len(sent) != len(want) || sent[0] != 10 || sent[1] != 1 || sent[2] != 1 || sent[3] != 999 {
			t.Errorf("the messages have %v versions, want %v", sent, want)
		}
	})
}

// A caller that does not say what it knows, as before there was a way to, gets the
// newest versions with each change.
func TestAWatchWithoutSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := standing(t, round.Completed)
		long.Published = history(50_000)
		states := []round.State{standing(t, round.Exchanging), standing(t, round.Publishing), long}
		admin := accordv1.NewAdminServiceClient(dialServer(t, serve(t, &fake{}, watched(states...), nil)))
		stream, err := admin.WatchRun(t.Context(), &accordv1.WatchRunRequest{Name: "mnist"})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{2, 2, coordinator.StatusVersions} {
			m, err := stream.Recv()
			if err != nil || len(m.GetRun().GetPublished()) != want || len(m.GetRun().GetCohort()) != 2 || proto.Size(m) > wire.MaxMessage/16 {
				t.Errorf("message %d: got %d versions in %d bytes (%v), want %d", i, len(m.GetRun().GetPublished()), proto.Size(m), err, want)
			}
		}
	})
}

func TestWatchEndsWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runs{states: []round.State{standing(t, round.Exchanging)}, changes: make(chan round.State)}
		s := serve(t, &fake{}, r, nil)
		watched := make(chan error, 1)
		go func() { watched <- s.admin().Watch(t.Context(), "mnist", 0, nil) }()
		synctest.Wait()
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		if err := <-watched; !errors.Is(err, fault.Unavailable) {
			t.Errorf("got %v, want class fault.Unavailable", err)
		}
	})
}

func TestWatchRefusesNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, &fake{}, watched(standing(t, round.Exchanging)), nil).admin()
		for name, since := range map[string]int{"mnist": -1, "other": 0} {
			if err := c.Watch(t.Context(), name, since, nil); !errors.Is(err, fault.Input) {
				t.Errorf("%s since %d: got %v, want class fault.Input", name, since, err)
			}
		}
	})
}
