package main

import (
	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/dataset/partition"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
)

// loadSplit loads the data set that a simulation section names. Digits are
// drawn for its number of sites.
func loadSplit(s config.Simulation) (dataset.Split, error) {
	if s.Dataset != "digits" {
		if s.SamplesPerSite != 0 || s.TestSamples != 0 {
			return dataset.Split{}, fault.Inputf("only digits are drawn to measure, %s has the images it has: leave out samples_per_site and test_samples", s.Dataset)
		}
		return dataset.Load(s.Dataset, s.Dir)
	}
	return dataset.Digits(digitsFor(s))
}

// digitsFor says which digits to draw for a simulation section.
func digitsFor(s config.Simulation) dataset.DigitsOptions {
	o := dataset.DefaultDigits()
	o.Sites = s.Sites
	if s.SamplesPerSite > 0 {
		o.PerSite = s.SamplesPerSite
	}
	if s.TestSamples > 0 {
		o.Test = s.TestSamples
	}
	return o
}

// shard is what one site holds.
type shard struct {
	name string
	view *dataset.View
}

// divide says which training samples each site holds. simulate and data
// partition share it, so that both give a site the same samples in the same
// order.
func divide(split dataset.Split, s config.Simulation, seed uint64) ([]shard, error) {
	if split.Train == nil {
		return nil, fault.Inputf("data set %s has no training images", s.Dataset)
	}
	scheme, err := partition.Parse(s.Scheme())
	if err != nil {
		return nil, err
	}
	parts, err := scheme.Assign(split.Train.Labels(), split.Train.Keys(), s.Sites, seed)
	if err != nil {
		return nil, err
	}
	shards := make([]shard, len(parts))
	for i, indices := range parts {
		shards[i] = shard{name: partition.SiteName(i, len(parts)), view: split.Train.View(indices)}
	}
	return shards, nil
}
