package main

import (
	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/dataset/partition"
	"github.com/accord-fl/accord/internal/config"
	"github.com/accord-fl/accord/internal/fault"
)

// loadSplit loads the data set that a simulation section names. Digits are
// drawn for its number of sites.
func loadSplit(s config.Simulation, seed uint64) (dataset.Split, error) {
	if s.Dataset != "digits" {
		return dataset.Load(s.Dataset, s.Dir)
	}
	o := dataset.DefaultDigits()
	o.Sites, o.Seed = s.Sites, seed
	if s.SamplesPerSite > 0 {
		o.PerSite = s.SamplesPerSite
	}
	if s.TestSamples > 0 {
		o.Test = s.TestSamples
	}
	return dataset.Digits(o)
}

// assignShards says which training samples each site holds. simulate and data
// partition share it, so that both give a site the same samples in the same
// order.
func assignShards(s config.Simulation, train *dataset.Set, seed uint64) ([][]int, error) {
	if train == nil {
		return nil, fault.Inputf("data set %s has no training images", s.Dataset)
	}
	name := s.Partition
	if name == "" {
		name = defaultPartition(s.Dataset)
	}
	scheme, err := partition.Parse(name)
	if err != nil {
		return nil, err
	}
	return scheme.Assign(train.Labels(), train.Keys(), s.Sites, seed)
}

func defaultPartition(dataset string) string {
	if dataset == "digits" {
		return "by:site"
	}
	return "iid"
}
