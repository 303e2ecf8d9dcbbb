package partition

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/accord-fl/accord/internal/fault"
	"github.com/accord-fl/accord/internal/rng"
)

// kind is a way of dividing samples.
type kind string

const (
	iid       kind = "iid"
	shards    kind = "shards"
	dirichlet kind = "dirichlet"
	quantity  kind = "quantity"
	by        kind = "by"
)

// Scheme is a way of dividing samples among sites, with its parameter. Make
// one with Parse.
type Scheme struct {
	kind  kind
	count int     // shards a site
	alpha float64 // concentration of a Dirichlet distribution
}

// Parse reads a scheme:
//
//	iid           every site gets a random, equally large part
//	shards:K      sorted by label and cut into K pieces a site, dealt at random:
//	              most sites see few classes (McMahan et al. 2017, section 3)
//	dirichlet:A   each class is divided by proportions drawn from Dir(A, …, A):
//	              the smaller A, the fewer classes a site sees (Hsu et al. 2019)
//	quantity:A    random samples, but amounts drawn from Dir(A, …, A)
//	by:site       as the data set itself says
func Parse(s string) (Scheme, error) {
	name, parameter, given := strings.Cut(s, ":")
	scheme := Scheme{kind: kind(name)}
	switch scheme.kind {
	case iid:
		if given {
			return Scheme{}, fault.Inputf("partition %q: iid takes no parameter", s)
		}
	case shards:
		n, err := strconv.Atoi(parameter)
		if err != nil || n < 1 {
			return Scheme{}, fault.Inputf("partition %q: want shards:K with a whole number K of at least 1", s)
		}
		scheme.count = n
	case dirichlet, quantity:
		a, err := strconv.ParseFloat(parameter, 64)
		if err != nil || !(a >= 1e-3 && a <= 1e6) {
			return Scheme{}, fault.Inputf("partition %q: want %s:A with a number A from 0.001 to 1000000", s, name)
		}
		scheme.alpha = a
	case by:
		if parameter != "site" {
			return Scheme{}, fault.Inputf("partition %q: want by:site", s)
		}
	default:
		return Scheme{}, fault.Inputf("unknown partition %q; there are iid, shards:K, dirichlet:A, quantity:A and by:site", s)
	}
	return scheme, nil
}

// String returns what Parse reads.
func (s Scheme) String() string {
	switch s.kind {
	case shards:
		return fmt.Sprintf("shards:%d", s.count)
	case dirichlet, quantity:
		return string(s.kind) + ":" + strconv.FormatFloat(s.alpha, 'g', -1, 64)
	case by:
		return "by:site"
	}
	return string(s.kind)
}

// ByKey reports whether the scheme goes by the samples' own keys, which also
// settle the number of sites.
func (s Scheme) ByKey() bool { return s.kind == by }

// Assign returns the indices of the samples that each site holds. keys may be
// nil unless the scheme goes by them; labels and keys are per sample.
func (s Scheme) Assign(labels, keys []int32, sites int, seed uint64) ([][]int, error) {
	switch {
	case sites < 1:
		return nil, fault.Inputf("partition %s: %d sites, want at least 1", s, sites)
	case sites > len(labels):
		return nil, fault.Inputf("partition %s: %d sites but only %d samples", s, sites, len(labels))
	}
	r := rng.New(seed, "partition", s.String())
	var parts [][]int
	var err error
	switch s.kind {
	case iid:
		parts = cut(r.Perm(len(labels)), sites)
	case shards:
		parts, err = assignShards(labels, sites, s.count, r)
	case dirichlet:
		parts = assignDirichlet(labels, sites, s.alpha, r)
	case quantity:
		parts = assignQuantity(len(labels), sites, s.alpha, r)
	case by:
		parts, err = assignByKey(keys, len(labels), sites)
	default:
		err = fault.Inputf("partition: no scheme")
	}
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		slices.Sort(part)
	}
	return parts, nil
}

// SiteName returns the name of site i of n, counted from 0: site-01, site-02,
// …, with as many digits as n has, but at least two.
func SiteName(i, n int) string {
	width := max(2, len(strconv.Itoa(n)))
	return fmt.Sprintf("site-%0*d", width, i+1)
}
