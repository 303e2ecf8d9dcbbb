package model_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/train"
)

// Build a model from its layers, draw its first weights, and let it predict.
func Example() {
	spec, err := model.ParseSpec("net.yaml", []byte(`
input: [8, 8, 1]
layers:
  - conv2d: {filters: 4, kernel: 3, activation: relu}
  - max_pooling2d: {pool: 2}
  - flatten: {}
  - dense: {units: 3, activation: softmax}
`))
	if err != nil {
		log.Fatal(err)
	}
	network, err := model.NewNetwork(spec)
	if err != nil {
		log.Fatal(err)
	}
	weights := spec.Init(rand.New(rand.NewPCG(1, 2)))
	fmt.Println(weights.Contract().Size(), "weights in", len(weights.Tensors()), "tensors")

	engine, err := train.NewEngine(network, 1)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	image := make([]float32, 8*8) // black
	probabilities := make([]float32, network.Classes())
	if err := engine.Predict(weights, image, probabilities); err != nil {
		log.Fatal(err)
	}
	// Biases start at zero, so a black image says nothing yet.
	fmt.Printf("%.3f\n", probabilities)
	// Output:
	// 151 weights in 4 tensors
	// [0.333 0.333 0.333]
}

// A spec's tensors and its hash do not depend on how it is written.
func ExampleParseSpec() {
	spec, err := model.ParseSpec("net.yaml", []byte(`
input: [28, 28, 1]
layers:
  - conv2d: {filters: 8, kernel: 3, strides: 2, activation: relu}
  - flatten: {}
  - dense: {units: 10, activation: softmax}
`))
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range spec.Contract().Tensors {
		fmt.Println(t.Name, t.Shape)
	}
	// Output:
	// 00.kernel [3 3 1 8]
	// 00.bias [8]
	// 01.kernel [1352 10]
	// 01.bias [10]
}
