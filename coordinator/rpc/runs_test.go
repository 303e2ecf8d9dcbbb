package rpc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"

	"github.com/accord-fl/accord/coordinator/round"
	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/wire"
	accordv1 "github.com/accord-fl/accord/proto/accord/v1"
)

// history is what a run has published in so many rounds.
func history(rounds int) round.History {
	var versions []round.Version
	for n := range rounds {
		quality := float64(n%97) / 97
		versions = append(versions, round.Version{Round: n + 1, Model: fmt.Sprintf("%064x", n+1), Accuracy: &quality, Loss: &quality, Validation: &quality})
	}
	return round.HistoryOf(versions...)
}

// manyRuns are so many runs that have ended, each with so many versions, and one that
// goes on.
func manyRuns(count, versions int) *runs {
	r := &runs{}
	published := history(versions)
	for n := range count {
		r.states = append(r.states, round.State{Run: fmt.Sprintf("run-%05d", n), Phase: round.Completed, Round: versions, Published: published, Model: strings.Repeat("a", 64)})
	}
	r.states[count/3].Phase = round.Exchanging
	return r
}

// A list costs what its runs do, not what they have published, and comes in
// pages that fit a message.
func TestAnyNumberOfRunsIsListed(t *testing.T) {
	const count, versions = 20_000, 3 // more versions than one message can hold
	synctest.Test(t, func(t *testing.T) {
		r := manyRuns(count, versions)
		s := serve(t, &fake{}, r, nil)
		runs, attending, err := s.admin().Runs(t.Context(), 0, false)
		if err != nil || len(runs) != count || len(attending) != 2 {
			t.Fatalf("got %d runs and %d sites (%v), want %d and 2", len(runs), len(attending), err, count)
		}
		for i, run := range runs {
			if run.Name != r.states[i].Run || run.Versions != versions || len(run.Published) != 1 || run.Published[0].Round != versions {
				t.Fatalf("run %d: got %+v, want the newest of %d versions of %s", i, run, versions, r.states[i].Run)
			}
		}
		for _, tt := range []struct {
			limit, want int
			active      bool
			last        string
		}{
			{1, 1, false, "run-19999"}, {7, 7, false, "run-19999"}, {count + 1, count, false, "run-19999"}, {0, 1, true, "run-06666"}, {3, 1, true, "run-06666"},
		} {
			got, _, err := s.admin().Runs(t.Context(), tt.limit, tt.active)
			if err != nil || len(got) != tt.want || got[len(got)-1].Name != tt.last {
				t.Errorf("limit %d, active %t: got %d runs (%v), want %d, the newest %s", tt.limit, tt.active, len(got), err, tt.want, tt.last)
			}
		}
	})
}

// Each answer leaves room in its message, however much there is to tell, also
// to a caller that knows no pages.
func TestAnswersAboutRunsFitAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := manyRuns(20_000, 50_000)
		admin := accordv1.NewAdminServiceClient(dialServer(t, serve(t, &fake{}, r, nil)))
		fits := func(what string, m proto.Message, err error, most int) {
			t.Helper()
			if size := proto.Size(m); err != nil || size > most {
				t.Errorf("%s: %d bytes (%v), want at most %d", what, size, err, most)
			}
		}
		seen := 0
		for request := (&accordv1.ListRunsRequest{}); ; {
			page, err := admin.ListRuns(t.Context(), request)
			fits("list", page, err, wire.MaxMessage*5/8)
			seen += len(page.GetRuns())
			if request.Before = page.GetNext(); request.Before == 0 {
				break
			}
		}
		if seen != 20_000 {
			t.Errorf("the pages have %d runs, want 20000", seen)
		}
		one, err := admin.GetRun(t.Context(), &accordv1.GetRunRequest{Name: "run-00000"})
		fits("get", one, err, wire.MaxMessage/16)
		if got := one.GetRun(); got.GetVersions() != 50_000 || len(got.GetPublished()) == 0 || got.GetPublished()[len(got.GetPublished())-1].GetRound() != 50_000 {
			t.Errorf("get: got %d versions, want the newest of 50000", got.GetVersions())
		}
		versions, err := admin.ListVersions(t.Context(), &accordv1.ListVersionsRequest{Run: "run-00000", Limit: 1 << 30})
		fits("versions", versions, err, wire.MaxMessage/16)
	})
}

func TestVersionsInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const versions = 2_345
		r := manyRuns(1, versions)
		s := serve(t, &fake{}, r, nil)
		for _, after := range []int{0, 1, 1_344, 1_345, versions - 1, versions, versions + 1} {
			got, err := s.admin().Versions(t.Context(), "run-00000", after)
			if want := max(0, versions-after); err != nil || len(got) != want {
				t.Fatalf("after %d: got %d versions (%v), want %d", after, len(got), err, want)
			}
			for i, v := range got {
				if v.Round != after+i+1 {
					t.Fatalf("after %d: version %d is of round %d", after, i, v.Round)
				}
			}
		}
		if _, err := s.admin().Versions(t.Context(), "run-00000", -1); !errors.Is(err, fault.Input) {
			t.Errorf("after -1: got %v, want class fault.Input", err)
		}
		if _, err := s.admin().Versions(t.Context(), "other", 0); !errors.Is(err, fault.Input) {
			t.Errorf("another run: got %v, want class fault.Input", err)
		}
		admin := accordv1.NewAdminServiceClient(dialServer(t, s))
		page, err := admin.ListVersions(t.Context(), &accordv1.ListVersionsRequest{Run: "run-00000", After: 3, Limit: 2})
		if err != nil || len(page.GetVersions()) != 2 || !page.GetMore() {
			t.Errorf("two after three: got %d, more %t (%v)", len(page.GetVersions()), page.GetMore(), err)
		}
	})
}
