package train_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
)

// stripes are 8×8 images of horizontal (class 0) or vertical (class 1) stripes.
type stripes struct{ n int }

func (s stripes) Len() int      { return s.n }
func (s stripes) Shape() [3]int { return [3]int{8, 8, 1} }
func (s stripes) Classes() int  { return 2 }

func (s stripes) Gather(x []float32, y []int32, idx []int) {
	for i, sample := range idx {
		y[i] = int32(sample % 2)
		for at := range 64 {
			along := []int{at / 8, at % 8}[sample%2]
			x[i*64+at] = float32((along + sample/2) % 2)
		}
	}
}

// Build a model, train it a few steps, and predict.
func Example() {
	spec, err := model.ParseSpec("stripes.yaml", []byte(`
input: [8, 8, 1]
layers:
  - conv2d: {filters: 4, kernel: 3, activation: relu}
  - max_pooling2d: {pool: 2}
  - flatten: {}
  - dense: {units: 2, activation: softmax}
`))
	if err != nil {
		log.Fatal(err)
	}
	net, err := model.NewNetwork(spec)
	if err != nil {
		log.Fatal(err)
	}
	engine, err := train.NewEngine(net, 1)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	weights := spec.Init(rand.New(rand.NewPCG(1, 1)))
	plan := train.Plan{Epochs: 20, Batch: 16, Shuffle: true, Optimizer: optim.Config{Name: optim.SGD, LR: 0.3}}
	result, err := engine.Fit(context.Background(), weights, stripes{64}, plan, rand.New(rand.NewPCG(1, 2)), nil)
	if err != nil {
		log.Fatal(err)
	}
	vertical, probs := make([]float32, 64), make([]float32, 2)
	stripes{2}.Gather(vertical, make([]int32, 1), []int{1})
	if err := engine.Predict(weights, vertical, probs); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d weights, %d steps\n", weights.Contract().Size(), result.Steps)
	fmt.Printf("surely vertical: %t\n", probs[1] > 0.9)
	// Output:
	// 114 weights, 80 steps
	// surely vertical: true
}
