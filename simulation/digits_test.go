package simulation

import (
	"fmt"
	"testing"

	"github.com/accord-fl/accord/coordinator"
	"github.com/accord-fl/accord/dataset"
	"github.com/accord-fl/accord/internal/rng"
	"github.com/accord-fl/accord/model"
	"github.com/accord-fl/accord/model/optim"
	"github.com/accord-fl/accord/model/train"
)

// What the federation reaches on digits is earned: whichever site trains alone,
// with the same plan, falls behind visibly, and labels that mean nothing teach
// nothing.
func TestDigitsAreEarned(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for seconds")
	}
	o := dataset.DigitsOptions{Sites: 10, PerSite: 200, Test: 1000, Seed: 1} // less than the default, for time's sake
	split, err := dataset.Digits(o)
	if err != nil {
		t.Fatal(err)
	}
	all := learnDigits(t, split, split.Train, 0, o.Sites)
	senseless := learnDigits(t, split, shuffledLabels(t, split.Train), 0, o.Sites)
	alone := 0.0
	for site := range o.Sites {
		alone = max(alone, learnDigits(t, split, split.Train, site, site+1))
	}
	t.Logf("ten sites %.3f, the best site alone %.3f, shuffled labels %.3f", all, alone, senseless)

	const least, lead, chance = 0.88, 0.08, 0.25
	if all < least {
		t.Errorf("ten sites reach %.3f, want %.2f at least", all, least)
	}
	if all < alone+lead {
		t.Errorf("ten sites reach %.3f, the best alone %.3f, want a lead of %.2f at least", all, alone, lead)
	}
	if senseless > chance {
		t.Errorf("shuffled labels reach %.3f, want %.2f at most", senseless, chance)
	}
}

// learnDigits returns the test accuracy of a small network that the sites from
// first to last, last excluded, trained together. training is digits' training
// set or one with the same images.
func learnDigits(t *testing.T, digits dataset.Split, training *dataset.Set, first, last int) float64 {
	t.Helper()
	spec, err := model.ParseSpec("small.yaml", []byte(`
input: [28, 28, 1]
layers:
  - conv2d: {filters: 8, kernel: 3, activation: relu}
  - max_pooling2d: {pool: 2}
  - conv2d: {filters: 16, kernel: 3, activation: relu}
  - max_pooling2d: {pool: 2}
  - flatten: {}
  - dense: {units: 32, activation: relu}
  - dense: {units: 10, activation: softmax}
`))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Test: digits.Test.All(), Dir: t.TempDir(), Definition: coordinator.DefaultDefinition()}
	o.Definition.Spec, o.Definition.Rounds = spec, 6
	o.Definition.Plan = train.Plan{Epochs: 4, Batch: 10, Shuffle: true, Optimizer: optim.Defaults(optim.SGD)}
	o.Definition.Plan.Optimizer.LR = 0.1
	shards := make([][]int, last)
	for i, key := range digits.Train.Keys() {
		if int(key) < last {
			shards[key] = append(shards[key], i)
		}
	}
	for i := first; i < last; i++ {
		o.Sites = append(o.Sites, Site{Name: fmt.Sprintf("site-%02d", i+1), Data: training.View(shards[i])})
	}
	return *run(t, o).Version.Accuracy
}

// shuffledLabels returns the set's images with one another's labels.
func shuffledLabels(t *testing.T, s *dataset.Set) *dataset.Set {
	t.Helper()
	n, size := s.Len(), s.Shape()[0]*s.Shape()[1]*s.Shape()[2]
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	values, labels := make([]float32, n*size), make([]int32, n)
	s.All().Gather(values, labels, order)
	rng.New(1, "shuffled labels").Shuffle(n, func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
	shuffled, err := dataset.FromFloats(s.Shape(), values, labels)
	if err != nil {
		t.Fatal(err)
	}
	return shuffled
}
