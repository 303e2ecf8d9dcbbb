package partition

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/accord-fl/accord/internal/fault"
)

// cut divides indices into n consecutive parts whose lengths differ by at
// most one, longer ones first. The parts share no memory when appended to.
func cut(indices []int, n int) [][]int {
	parts := make([][]int, n)
	at := 0
	for i := range parts {
		size := len(indices) / n
		if i < len(indices)%n {
			size++
		}
		parts[i] = indices[at : at+size : at+size]
		at += size
	}
	return parts
}

func assignShards(labels []int32, sites, perSite int, r *rand.Rand) ([][]int, error) {
	if perSite > len(labels)/sites {
		return nil, fault.Inputf("partition shards:%d: %d sites need %d shards each, there are only %d samples", perSite, sites, perSite, len(labels))
	}
	order := make([]int, len(labels))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return labels[order[a]] < labels[order[b]] })
	pieces := cut(order, sites*perSite)
	parts := make([][]int, sites)
	for i, piece := range r.Perm(len(pieces)) {
		parts[i/perSite] = append(parts[i/perSite], pieces[piece]...)
	}
	return parts, nil
}

// assignDirichlet divides every class by proportions of its own. A site that
// drew nothing at all gets one sample of the site that then has the most.
func assignDirichlet(labels []int32, sites int, alpha float64, r *rand.Rand) [][]int {
	classes := map[int32][]int{}
	for i, label := range labels {
		classes[label] = append(classes[label], i)
	}
	order := make([]int32, 0, len(classes))
	for label := range classes {
		order = append(order, label)
	}
	slices.Sort(order)
	parts := make([][]int, sites)
	for _, label := range order {
		indices := classes[label]
		r.Shuffle(len(indices), func(i, j int) { indices[i], indices[j] = indices[j], indices[i] })
		at := 0
		for site, end := range boundaries(proportions(sites, alpha, r), len(indices)) {
			parts[site] = append(parts[site], indices[at:end]...)
			at = end
		}
	}
	for site := range parts {
		if len(parts[site]) > 0 {
			continue
		}
		rich := 0
		for other := range parts {
			if len(parts[other]) > len(parts[rich]) {
				rich = other
			}
		}
		last := len(parts[rich]) - 1
		parts[site] = []int{parts[rich][last]}
		parts[rich] = parts[rich][:last]
	}
	return parts
}

// assignQuantity gives every site one sample and divides the others by
// proportions.
func assignQuantity(samples, sites int, alpha float64, r *rand.Rand) [][]int {
	order := r.Perm(samples)
	parts := make([][]int, sites)
	at := sites
	for site, end := range boundaries(proportions(sites, alpha, r), samples-sites) {
		parts[site] = append([]int{order[site]}, order[at:sites+end]...)
		at = sites + end
	}
	return parts
}

// assignByKey gives the samples of each key to one site, keys in ascending order.
func assignByKey(keys []int32, samples, sites int) ([][]int, error) {
	if len(keys) != samples {
		return nil, fault.Inputf("partition by:site: the data set does not say which site its samples come from; try iid")
	}
	distinct := slices.Clone(keys)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	if len(distinct) != sites {
		return nil, fault.Inputf("partition by:site: the data set has %d sites, not %d", len(distinct), sites)
	}
	parts := make([][]int, sites)
	for i, key := range keys {
		site, _ := slices.BinarySearch(distinct, key)
		parts[site] = append(parts[site], i)
	}
	return parts, nil
}

// proportions draws from the symmetric Dirichlet distribution: n numbers that
// sum to 1, as gamma draws divided by their sum. For a small alpha the draws
// themselves underflow, so it takes their logarithms, by
// Gamma(α) = Gamma(α+1) · U^(1/α) (Marsaglia and Tsang 2000, section 6).
func proportions(n int, alpha float64, r *rand.Rand) []float64 {
	gamma := distuv.Gamma{Alpha: alpha + 1, Beta: 1, Src: r}
	p := make([]float64, n)
	for i := range p {
		u := 1 - r.Float64() // in (0, 1]
		p[i] = math.Log(gamma.Rand()) + math.Log(u)/alpha
	}
	top, sum := slices.Max(p), 0.0
	for i := range p {
		p[i] = math.Exp(p[i] - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// boundaries returns where each part of total ends, given their proportions;
// the last is total.
func boundaries(p []float64, total int) []int {
	ends := make([]int, len(p))
	sum := 0.0
	for i, share := range p {
		sum += share
		ends[i] = min(total, int(sum*float64(total)))
	}
	ends[len(ends)-1] = total
	return ends
}
