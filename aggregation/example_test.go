package aggregation_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/accord-fl/accord/aggregation"
)

// vector lets a slice be read as an update.
type vector []float32

func (v vector) ReadAt(dst []float32, off int) error {
	copy(dst, v[off:])
	return nil
}

// Three hospitals, one of them twice as large: the average of their updates
// moves the global model.
func ExampleStrategy_Aggregate() {
	strategy, err := aggregation.Preset("fedavg", 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	global := vector{1, 1}
	updates := []aggregation.Update{
		{Participant: "athens", Weight: 100, Values: vector{4, 0}},
		{Participant: "berlin", Weight: 200, Values: vector{0, 2}},
		{Participant: "cairo", Weight: 100, Values: vector{0, 4}},
	}
	err = strategy.Aggregate(context.Background(), len(global), global, updates, func(w []float32) error {
		fmt.Println(w)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [2 3]
}

// median is a combiner of one's own: the coordinate-wise median, which one
// wild update cannot move far.
type median struct{}

func (median) Combine(ctx context.Context, n int, updates []aggregation.Update, emit func([]float64) error) error {
	column := make([]float64, len(updates))
	value := make([]float32, 1)
	for i := range n {
		for k, u := range updates {
			if err := u.Values.ReadAt(value, i); err != nil {
				return err
			}
			column[k] = float64(value[0])
		}
		slices.Sort(column)
		if err := emit(column[len(column)/2 : len(column)/2+1]); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// A strategy of one's own is a Combiner and a ServerOptimizer.
func ExampleStrategy_own() {
	strategy := aggregation.Strategy{Combiner: median{}, Server: aggregation.SGD{LR: 1}}
	updates := []aggregation.Update{
		{Participant: "athens", Weight: 1, Values: vector{1}},
		{Participant: "berlin", Weight: 1, Values: vector{2}},
		{Participant: "mallory", Weight: 1, Values: vector{1e9}},
	}
	err := strategy.Aggregate(context.Background(), 1, vector{0}, updates, func(w []float32) error {
		fmt.Println(w)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [2]
}
