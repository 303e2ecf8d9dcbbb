package config

// Simulation is the part of a run file that simulate alone reads: where the
// data come from and how they are spread over virtual sites.
type Simulation struct {
	Data           `yaml:",inline"`
	Sites          int    `yaml:"sites"`
	Partition      string `yaml:"partition,omitempty"`        // iid, shards:K, dirichlet:A, quantity:A or by:site; "" is by:site for digits, iid for other sets
	SamplesPerSite int    `yaml:"samples_per_site,omitempty"` // digits only; 0 is the generator's default
	TestSamples    int    `yaml:"test_samples,omitempty"`     // digits only; 0 is the generator's default
	Threads        int    `yaml:"threads,omitempty"`          // 0: one for each core
	Baselines      bool   `yaml:"baselines,omitempty"`        // also train every site alone, and all data in one place
}

// check notes what is wrong with the section at path. The partition scheme is
// for dataset/partition to judge, which knows the data.
func (s Simulation) check(c *checker, path string) {
	s.Data.check(c, path)
	c.require(s.Sites >= 1, path+".sites", "want 1 or more, got %d", s.Sites)
	c.require(s.Threads >= 0, path+".threads", "want 1 or more, or 0 for one a core, got %d", s.Threads)
	c.require(s.SamplesPerSite >= 0, path+".samples_per_site", "want 1 or more, or 0 for the default, got %d", s.SamplesPerSite)
	c.require(s.TestSamples >= 0, path+".test_samples", "want 1 or more, or 0 for the default, got %d", s.TestSamples)
}
