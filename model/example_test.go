package model_test

import (
	"fmt"
	"log"

	"github.com/accord-fl/accord/model"
)

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
