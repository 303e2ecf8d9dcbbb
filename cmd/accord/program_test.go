package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/exchange"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/safetensors"
	"github.com/accord-fl/accord/participant/trainer"
)

// actAs tells the test's own binary to be a program that trains or measures.
const actAs = "ACCORD_TEST_ACT_AS"

// act is that program; it returns its exit code.
func act(how string) int {
	work := map[string]func() error{"train": trainHere, "measure": measureHere}[how]
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// trainHere adds STEP to every weight.
func trainHere() error {
	data, err := os.ReadFile(trainer.TaskFile)
	if err != nil {
		return err
	}
	var task exchange.Task
	if err := json.Unmarshal(data, &task); err != nil {
		return err
	}
	p, err := model.LoadParams(trainer.GlobalFile, task.Contract)
	if err != nil {
		return err
	}
	step, err := strconv.ParseFloat(os.Getenv("STEP"), 32)
	if err != nil {
		return err
	}
	for i := range p.Flat() {
		p.Flat()[i] += float32(step)
	}
	if err := model.SaveParams(trainer.UpdateFile, p); err != nil {
		return err
	}
	return os.WriteFile(trainer.MetricsFile, fmt.Appendf(nil, `{"samples": %s, "steps": 1}`, os.Getenv("SAMPLES")), 0o600)
}

// measureHere takes the first weight for an accuracy.
func measureHere() error {
	f, err := os.Open(coordinator.EvaluatedFile)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	s, err := safetensors.Open(f, info.Size())
	if err != nil {
		return err
	}
	var first [1]float32
	if err := s.ReadFloat32(first[:], s.Tensors()[0], 0); err != nil {
		return err
	}
	result := fmt.Appendf(nil, `{"accuracy": %g, "loss": %g}`, first[0], 1-first[0])
	return os.WriteFile(coordinator.ResultFile, result, 0o600)
}
