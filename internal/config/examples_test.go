package config

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/accord-fl/accord/model"
)

// Every file in configs/ is loaded, as what it is.
func TestExamples(t *testing.T) {
	const dir = "../../configs"
	load := map[string]func(path string) error{
		"simulate.yaml":         checkDefaults,
		"mnist.yaml":            func(path string) error { _, err := Load(path); return err },
		"run.yaml":              func(path string) error { _, err := Load(path); return err },
		"opaque.yaml":           func(path string) error { _, err := Load(path); return err },
		"coordinator-exec.yaml": func(path string) error { _, err := LoadCoordinator(path); return err },
		"coordinator.yaml":      func(path string) error { _, err := LoadCoordinator(path); return err },
		"participant.yaml":      func(path string) error { _, err := LoadParticipant(path); return err },
		"participant-exec.yaml": func(path string) error { _, err := LoadParticipant(path); return err },
		"reference-cnn.yaml":    checkReference,
	}
	files, err := filepath.Glob(dir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(files), len(load); got != want {
		t.Errorf("configs/ holds %d files, the test knows %d", got, want)
	}
	for name, check := range load {
		if err := check(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func checkReference(path string) error {
	data, err := readFile(path)
	if err != nil {
		return err
	}
	spec, err := model.ParseSpec(path, data)
	if err != nil {
		return err
	}
	if got, want := spec.Hash(), model.Reference().Hash(); got != want {
		return Problems{{File: path, Text: "is not the reference network"}}
	}
	return nil
}

// The example says what a simulation without flags does.
func checkDefaults(path string) error {
	got, err := Load(path)
	if err != nil {
		return err
	}
	want := Defaults()
	want.Name = "digits"
	want.Simulation.Partition = "by:site"
	want.Simulation.SamplesPerSite, want.Simulation.TestSamples = 500, 2000 // the generator's defaults
	want.Simulation.Baselines = true
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("is not what an empty file means (-empty +example):\n%s", diff)
	}
	return nil
}
