package config

import (
	"path/filepath"

	"github.com/goccy/go-yaml"

	"github.com/accord-fl/accord/internal/atomicfile"
)

// FederationFile lies in an admin's identity folder.
const FederationFile = "federation.yaml"

// Federation is what an admin's commands need to know beside his certificate.
type Federation struct {
	Name        string `yaml:"name"`        // of the federation
	Coordinator string `yaml:"coordinator"` // host:port to dial
}

// LoadFederation reads the file in an admin's identity folder.
func LoadFederation(dir string) (Federation, error) {
	var cfg Federation
	err := load(filepath.Join(dir, FederationFile), &cfg)
	return cfg, err
}

// Save writes the file into an identity folder.
func (cfg Federation) Save(dir string) error {
	data, err := yaml.Marshal(cfg)
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(filepath.Join(dir, FederationFile), data)
}

func (cfg *Federation) resolve(string) error { return nil }

// Validate reports, as Problems, every field that makes no sense.
func (cfg Federation) Validate() error {
	var c checker
	c.require(cfg.Name != "", "name", "want the federation's name")
	c.address("coordinator", cfg.Coordinator)
	return c.err()
}
