package config

import (
	"path"

	"github.com/accord-fl/accord/internal/hours"
)

// Who releases a run at a site.
const (
	ApproveAuto   = "auto"   // nobody: what the rest of the policy allows is trained
	ApproveManual = "manual" // a person, with `accord participant approve`
)

// Policy is what a site allows, whatever the coordinator asks.
type Policy struct {
	Runs          []string `yaml:"runs,omitempty"`           // patterns of names, such as "digits-*"; none: every run
	MaxEpochs     int      `yaml:"max_epochs,omitempty"`     // in a round; 0: no limit
	MaxParameters int      `yaml:"max_parameters,omitempty"` // of the model; 0: no limit
	MaxModel      string   `yaml:"max_model,omitempty"`      // of the model's tensors, such as 2GB; "": no limit
	DiskReserve   string   `yaml:"disk_reserve,omitempty"`   // that stays free, such as 10GB or 5%; "": 1GB, or 1% where that is less
	MaxRepeats    int      `yaml:"max_repeats"`              // further answers to a round after restores of the coordinator
	MinCohort     int      `yaml:"min_cohort,omitempty"`     // fewest participants whose updates become a model together; 0: no limit
	ShareSamples  bool     `yaml:"share_samples"`            // the number of samples may leave, where a run weighs by it
	ShareMetrics  bool     `yaml:"share_metrics"`            // the trainer's metrics may leave
	Hours         []string `yaml:"hours,omitempty"`          // such as "Mon-Fri 19:00-06:00"; none: always
	TimeZone      string   `yaml:"time_zone,omitempty"`      // of the hours, such as Europe/Berlin
	Approve       string   `yaml:"approve"`                  // auto or manual
}

// check notes what is wrong with the section that prefix leads to.
func (p Policy) check(c *checker, prefix string) {
	for _, pattern := range p.Runs {
		_, err := path.Match(pattern, "")
		c.require(err == nil && pattern != "", prefix+"runs", "%q is no pattern of names; want one such as digits-*", pattern)
	}
	c.require(p.MaxEpochs >= 0, prefix+"max_epochs", "want 1 or more, or 0 for no limit, got %d", p.MaxEpochs)
	c.require(p.MaxParameters >= 0, prefix+"max_parameters", "want 1 or more, or 0 for no limit, got %d", p.MaxParameters)
	_, err := ParseSize(p.MaxModel)
	c.require(p.MaxModel == "" || err == nil, prefix+"max_model", "%v", err)
	_, _, err = ParseShare(p.DiskReserve)
	c.require(p.DiskReserve == "" || err == nil, prefix+"disk_reserve", "%v", err)
	c.require(p.MaxRepeats >= 0, prefix+"max_repeats", "want 0 or more, got %d", p.MaxRepeats)
	c.require(p.MinCohort >= 0, prefix+"min_cohort", "want 1 or more, or 0 for no limit, got %d", p.MinCohort)
	_, err = hours.Parse(p.Hours, p.TimeZone)
	c.require(err == nil, prefix+"hours", "%v", err)
	c.require(len(p.Hours) > 0 || p.TimeZone == "", prefix+"time_zone", "is of no use without hours")
	c.require(p.Approve == ApproveAuto || p.Approve == ApproveManual, prefix+"approve",
		"%q is not known; want %s or %s", p.Approve, ApproveAuto, ApproveManual)
}
