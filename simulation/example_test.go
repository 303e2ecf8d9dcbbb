package simulation_test

import (
	"context"
	"fmt"
	"os"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/dataset/partition"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
	"github.com/accord-fl/accord/simulation"
)

// Three sites, each with its own share of the generated digits, train one
// model together for two rounds.
func ExampleRun() {
	digits, err := dataset.Digits(dataset.DigitsOptions{Sites: 3, PerSite: 20, Test: 50, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	scheme, err := partition.Parse("by:site")
	if err != nil {
		fmt.Println(err)
		return
	}
	shards, err := scheme.Assign(digits.Train.Labels(), digits.Train.Keys(), 3, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	var sites []simulation.Site
	for i, shard := range shards {
		sites = append(sites, simulation.Site{Name: partition.SiteName(i, len(shards)), Data: digits.Train.View(shard)})
	}

	run := coordinator.DefaultDefinition()
	run.Spec = model.Reference()
	run.Rounds = 2
	run.Plan = train.Plan{Epochs: 1, Batch: 10, Shuffle: true, Optimizer: optim.Defaults(optim.SGD)}
	dir, err := os.MkdirTemp("", "federation-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	result, err := simulation.Run(context.Background(), simulation.Options{
		Definition: run, Sites: sites, Test: digits.Test.All(), Dir: dir,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("versions:", result.State.Published.Len())
	fmt.Println("updates accepted:", result.State.Counts.Accepted)
	// Output:
	// versions: 2
	// updates accepted: 6
}
