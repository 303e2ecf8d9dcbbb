package partition

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/accord-fl/accord/internal/fault"
)

func TestParse(t *testing.T) {
	for _, s := range []string{"iid", "shards:2", "dirichlet:0.5", "dirichlet:100", "quantity:0.3", "by:site"} {
		scheme, err := Parse(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
		} else if got := scheme.String(); got != s {
			t.Errorf("got %q, want %q", got, s)
		}
	}
	for _, s := range []string{"", "IID", "iid:1", "shards", "shards:0", "shards:-1", "shards:1.5", "dirichlet", "dirichlet:0",
		"dirichlet:-1", "dirichlet:NaN", "dirichlet:+Inf", "quantity:", "quantity:1e-9", "by", "by:age", "random"} {
		if _, err := Parse(s); !errors.Is(err, fault.Input) {
			t.Errorf("%q: got error %v, want one of class Input", s, err)
		}
	}
}

// schemes draws any scheme but by:site.
func schemes(t *rapid.T) Scheme {
	name := rapid.SampledFrom([]string{"iid", "shards:%d", "dirichlet:%g", "quantity:%g"}).Draw(t, "name")
	switch name {
	case "shards:%d":
		name = fmt.Sprintf(name, rapid.IntRange(1, 3).Draw(t, "shards"))
	case "dirichlet:%g", "quantity:%g":
		name = fmt.Sprintf(name, rapid.SampledFrom([]float64{0.001, 0.05, 0.5, 1, 100}).Draw(t, "alpha"))
	}
	s, err := Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every index goes to exactly one site, no site is empty, and the same seed
// gives the same assignment.
func TestAssignProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.SliceOfN(rapid.Int32Range(0, 9), 3, 300).Draw(t, "labels")
		sites := rapid.IntRange(1, len(labels)/3).Draw(t, "sites")
		seed := rapid.Uint64().Draw(t, "seed")
		s := schemes(t)
		parts, err := s.Assign(labels, nil, sites, seed)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if len(parts) != sites {
			t.Fatalf("%s: got %d sites, want %d", s, len(parts), sites)
		}
		seen := make([]bool, len(labels))
		for site, part := range parts {
			if len(part) == 0 {
				t.Fatalf("%s: site %d is empty", s, site)
			}
			if !slices.IsSorted(part) {
				t.Fatalf("%s: site %d is not in order: %v", s, site, part)
			}
			for _, i := range part {
				if seen[i] {
					t.Fatalf("%s: index %d is given twice", s, i)
				}
				seen[i] = true
			}
		}
		if i := slices.Index(seen, false); i >= 0 {
			t.Fatalf("%s: index %d is given to nobody", s, i)
		}
		again, err := s.Assign(labels, nil, sites, seed)
		if err != nil || !cmp.Equal(parts, again) {
			t.Fatalf("%s: another assignment, error %v, from the same seed", s, err)
		}
	})
}

// balanced returns n labels that count through ten classes.
func balanced(n int) []int32 {
	labels := make([]int32, n)
	for i := range labels {
		labels[i] = int32(i % 10)
	}
	return labels
}

// classesSeen returns the mean number of classes a site holds samples of.
func classesSeen(t *testing.T, scheme string, labels []int32, sites int) float64 {
	t.Helper()
	s, err := Parse(scheme)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := s.Assign(labels, nil, sites, 1)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, part := range parts {
		seen := map[int32]bool{}
		for _, i := range part {
			seen[labels[i]] = true
		}
		total += len(seen)
	}
	return float64(total) / float64(sites)
}

func TestSkew(t *testing.T) {
	labels := balanced(60_000)
	for _, c := range []struct {
		scheme   string
		min, max float64
	}{
		{"iid", 10, 10},
		{"shards:2", 1.5, 2.2}, // a shard of 300 lies within one class of 6,000
		{"dirichlet:0.05", 1, 5},
		{"dirichlet:1000", 10, 10},
		{"quantity:0.5", 9, 10},
	} {
		if got := classesSeen(t, c.scheme, labels, 100); got < c.min || got > c.max {
			t.Errorf("%s: sites see %.2f classes, want %g to %g", c.scheme, got, c.min, c.max)
		}
	}
}

func TestSizes(t *testing.T) {
	labels := balanced(1003)
	spread := func(scheme string) (least, most int) {
		s, err := Parse(scheme)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := s.Assign(labels, nil, 10, 3)
		if err != nil {
			t.Fatal(err)
		}
		least = len(labels)
		for _, part := range parts {
			least, most = min(least, len(part)), max(most, len(part))
		}
		return least, most
	}
	if least, most := spread("iid"); least != 100 || most != 101 {
		t.Errorf("iid: sites hold %d to %d samples, want 100 to 101", least, most)
	}
	if least, most := spread("quantity:0.3"); most < 3*least {
		t.Errorf("quantity:0.3: sites hold %d to %d samples, want a wide spread", least, most)
	}
}

func TestAssignDependsOnSeed(t *testing.T) {
	labels := balanced(200)
	for _, name := range []string{"iid", "shards:2", "dirichlet:0.5", "quantity:0.5"} {
		s, err := Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		one, err1 := s.Assign(labels, nil, 5, 1)
		two, err2 := s.Assign(labels, nil, 5, 2)
		if err := errors.Join(err1, err2); err != nil || cmp.Equal(one, two) {
			t.Errorf("%s: error %v, or seeds 1 and 2 give the same assignment", name, err)
		}
	}
}

func TestAssignByKey(t *testing.T) {
	s, err := Parse("by:site")
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Assign(make([]int32, 5), []int32{7, 2, 7, 4, 2}, 3, 1)
	if diff := cmp.Diff([][]int{{1, 4}, {3}, {0, 2}}, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func TestAssignRefuses(t *testing.T) {
	for _, c := range []struct {
		name, scheme string
		keys         []int32
		sites        int
	}{
		{"more sites than samples", "iid", nil, 5},
		{"no sites", "iid", nil, 0},
		{"more shards than samples", "shards:2", nil, 3},
		{"shards overflow", "shards:9223372036854775807", nil, 2},
		{"no keys", "by:site", nil, 2},
		{"another number of keys", "by:site", []int32{0, 1, 1, 2}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Parse(c.scheme)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Assign(make([]int32, 4), c.keys, c.sites, 1); !errors.Is(err, fault.Input) {
				t.Errorf("got error %v, want one of class Input", err)
			}
		})
	}
}

func TestSiteName(t *testing.T) {
	for _, c := range []struct {
		i, n int
		want string
	}{{0, 1, "site-01"}, {9, 10, "site-10"}, {0, 99, "site-01"}, {0, 100, "site-001"}, {999, 1000, "site-1000"}, {0, 1000, "site-0001"}} {
		if got := SiteName(c.i, c.n); got != c.want {
			t.Errorf("SiteName(%d, %d): got %q, want %q", c.i, c.n, got, c.want)
		}
	}
}
