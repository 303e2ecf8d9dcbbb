package dataset_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/accord-fl/accord/dataset"
)

// A site's shard is some of a set's images. It is written to a file that NumPy,
// PyTorch and Accord read.
func Example() {
	split, err := dataset.Digits(dataset.DigitsOptions{Sites: 2, PerSite: 50, Test: 20, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	var mine []int
	for i, site := range split.Train.Keys() {
		if site == 1 {
			mine = append(mine, i)
		}
	}
	dir, err := os.MkdirTemp("", "shards")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	err = dataset.WriteSafetensors(filepath.Join(dir, "site.safetensors"), dataset.Views{Train: split.Train.View(mine)})
	if err != nil {
		log.Fatal(err)
	}
	shard, err := dataset.Load("safetensors:site.safetensors", dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(shard.Train.Len(), "images of", shard.Train.Shape(), "in", shard.Train.Classes(), "classes")
	fmt.Println("of each digit", shard.Train.All().Counts())
	// Output:
	// 50 images of [28 28 1] in 10 classes
	// of each digit [5 5 5 5 5 5 5 5 5 5]
}
