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

// Scheme returns the partition scheme, as partition.Parse takes it.
func (s Simulation) Scheme() string {
	switch {
	case s.Partition != "":
		return s.Partition
	case s.Dataset == "digits":
		return "by:site"
	default:
		return "iid"
	}
}

// Validate reports, as Problems, every field that makes no sense.
func (s Simulation) Validate() error {
	var c checker
	s.check(&c, "")
	return c.err()
}

// check notes what is wrong with the section that prefix leads to. The partition scheme is
// for dataset/partition to judge, which knows the data.
func (s Simulation) check(c *checker, prefix string) {
	s.Data.check(c, prefix)
	c.require(s.Sites >= 1, prefix+"sites", "want 1 or more, got %d", s.Sites)
	c.require(s.Threads >= 0, prefix+"threads", "want 1 or more, or 0 for one a core, got %d", s.Threads)
	c.require(s.SamplesPerSite >= 0, prefix+"samples_per_site", "want 1 or more, or 0 for the default, got %d", s.SamplesPerSite)
	c.require(s.TestSamples >= 0, prefix+"test_samples", "want 1 or more, or 0 for the default, got %d", s.TestSamples)
}
